"""A change: what is in force and what will be, the simulated effect, a question, `If-Match`."""

import json
import sys

import pytest

from gateway.cli.limits.ops_client import OpsClient
from gateway.ops.models import Limit
from gateway.ops.ops_scopes import READ, WRITE
from tests.gateway.cli.limits.conftest import Ops

SET = ("set", "dashboards", "60/minute", "--reason", "database is slow")


def test_a_change_is_shown_simulated_confirmed_and_made(ops: Ops) -> None:
    assert ops.send_requests("42", 100) == 100
    ops.type_line("y\n")
    status, output, question = ops.run(*SET, "--until", "2099-12-04T18:00:00Z")
    assert status == 0
    assert question == "Change dashboards? [y/N] "
    lines = output.splitlines()
    assert lines[0] == "dashboards, version 0 (code), per user"
    assert lines[1].split() == ["IN", "FORCE", "NOW", "WILL", "BE"]
    assert lines[2].split() == ["rate", "120/minute", "60/minute"]
    assert lines[3].startswith("until  no end        Friday 2099-12-04 ")
    assert lines[4].startswith("Simulated on 100 requests of 1 caller from ")
    assert lines[5].startswith("Compared with what is in force now")
    assert lines[6].split() == ["newly", "refused", "40", "(40.0%)"]
    assert lines[7].split() == ["newly", "admitted", "0", "(0.0%)"]
    assert lines[8] == "  refused in all  0 -> 40"
    assert lines[10].split()[1:] == ["user:42", "100", "40", "0"]
    assert lines[11].startswith("Accuracy: The rules in force reproduce all decisions of 100")
    assert lines[12] == "Counts go on: each caller keeps what it has used."
    assert lines[13] == "dashboards is at version 1: 60/minute"
    limit = ops.get()
    assert limit.live == {"rate": "60/minute", "until": "2099-12-04T18:00:00Z"}
    assert limit.changed is not None
    assert limit.changed.reason == "database is slow"
    assert ops.send_requests("42", 1) == 0


def test_a_concurrency_limit_has_a_number(ops: Ops) -> None:
    output = ops.print("set", "chats", "5", "--reason", "a", "--yes")
    assert ["limit", "2", "5"] in [line.split() for line in output.splitlines()]
    assert output.endswith("chats is at version 1: 5 at once\n")
    status, _, errors = ops.run("set", "chats", "5/minute", "--reason", "a", "--yes")
    assert (status, ops.get("chats").version) == (2, 1)
    assert "chats limits requests at once: RATE must be a number such as 20" in errors


@pytest.mark.parametrize("options", [[], ["--no-simulation"]])
def test_counts_that_restart_are_announced(ops: Ops, options: list[str]) -> None:
    ops.send_requests("42", 1)
    output = ops.print("set", "dashboards", "60/hour", "--reason", "a", "--yes", *options)
    assert "Counts restart: each caller begins with an unused quota." in output


def test_a_change_that_differs_in_nothing_writes_no_version(ops: Ops) -> None:
    ops.print(*SET, "--yes")
    ops.type_line("n\n")  # it does not ask
    for same in (SET, ("rollback", "dashboards", "--to", "1", "--reason", "a")):
        assert "Nothing will differ: no version is written." in ops.print(*same)
    ops.print("set", "partners", "10/second, 100/minute", "--reason", "a")
    assert (ops.get().version, ops.get("partners").version) == (1, 0)


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yess\n"])
def test_without_a_yes_nothing_is_changed(ops: Ops, answer: str) -> None:
    ops.type_line(answer)
    status, _, errors = ops.run(*SET)
    assert status == 1
    assert errors.endswith("lockgate: not confirmed: nothing is changed\n")
    assert ops.get().version == 0


@pytest.mark.parametrize(
    "arguments",
    [
        SET,
        ("shadow", "partners", "on", "--reason", "a"),
        ("override", "dashboards", "user:42", "--block", "--reason", "a"),
        ("rollback", "dashboards", "--reason", "a"),
        ("reset", "dashboards", "user:42", "--reason", "a"),
    ],
)
def test_without_a_terminal_a_change_needs_yes(ops: Ops, arguments: tuple[str, ...]) -> None:
    status, output, errors = ops.run(*arguments)
    assert (status, output) == (2, "")
    assert errors == (
        "lockgate: there is no terminal to ask for a confirmation: give --yes; no change\n"
    )
    assert ops.get().version == 0


def test_with_json_the_output_is_one_document_and_the_question_is_elsewhere(ops: Ops) -> None:
    ops.send_requests("42", 100)
    ops.type_line("yes\n")
    status, output, errors = ops.run(*SET, "--json")
    assert status == 0
    document = json.loads(output)
    assert document["before"]["in_force"]["rate"] == "120/minute"
    assert document["after"]["in_force"]["rate"] == "60/minute"
    assert document["after"]["version"] == 1
    assert document["simulation"]["effect"]["newly_refused"] == 40
    assert "WILL BE" in errors
    assert errors.endswith("[y/N] ")


def test_a_second_operator_gets_a_conflict(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy is changed between what was shown and the change."""
    token = ops.server.token(READ, WRITE, subject="jane")
    send = OpsClient.change_limit

    def come_second(client: OpsClient, name: str, patch: object, *, version: int) -> Limit:
        monkeypatch.setattr(OpsClient, "change_limit", send)
        first = ("set", name, "90/minute", "--reason", "first", "--yes", "--token", token)
        assert ops.run(*first)[0] == 0
        return send(client, name, {"rate": "1/minute", "reason": "second"}, version=version)

    monkeypatch.setattr(OpsClient, "change_limit", come_second)
    status, output, errors = ops.run(*SET, "--yes")
    assert status == 3
    assert "is at version" not in output
    assert len(errors.splitlines()) == 1
    assert "dashboards was changed after it was shown (version 0), to version 1 by jane" in errors
    assert "first. It allows 90/minute now; nothing of this change is in force." in errors
    assert ops.get().in_force.rate == "90/minute"


def test_a_wrong_change_names_the_field_and_the_old_one_stays(ops: Ops) -> None:
    status, output, errors = ops.run("set", "dashboards", "many", "--reason", "a", "--yes")
    assert (status, output) == (2, "")
    assert errors.startswith("lockgate: rate: 'many' is not a rate")
    assert ops.get().version == 0


@pytest.mark.parametrize("state", ["on", "off"])
def test_shadow(ops: Ops, state: str) -> None:
    former = "off" if state == "on" else "on"
    ops.print("set", "dashboards", "60/minute", "--reason", "new", "--yes")
    ops.print("shadow", "dashboards", former, "--reason", "new", "--yes")
    version = ops.get().version + 1
    output = ops.print("shadow", "dashboards", state, "--reason", "new", "--yes")
    assert ops.get().in_force.shadow is (state == "on")
    shadow = " (shadow)" if state == "on" else ""
    assert output.endswith(f"dashboards is at version {version}: 60/minute{shadow}\n")


def test_what_a_shadow_would_refuse_is_shown(ops: Ops) -> None:
    ops.send_requests("42", 125)
    output = ops.print("shadow", "dashboards", "on", "--reason", "new", "--yes")
    assert "newly admitted  5 (4.0%)" in output
    assert "5 more would be refused without shadow" in output


def test_a_set_without_until_has_no_end(ops: Ops) -> None:
    ops.print(*SET, "--until", "2h", "--yes")
    output = ops.print(*SET, "--burst", "5", "--yes")
    [until] = [it for it in output.splitlines() if it.startswith("until")]
    assert until.endswith("no end")  # the end that is taken away is shown
    assert ops.get().live == {"rate": "60/minute", "burst": 5}


def test_a_change_is_possible_when_a_simulation_is_not(ops: Ops) -> None:
    status, _, errors = ops.run("simulate", "dashboards", "60/minute")
    assert status == 1
    reason = errors.removeprefix("lockgate: ").rstrip()
    assert reason == "no request has been recorded yet"
    assert f"No simulation: {reason}\n" in ops.print(*SET, "--yes")
    assert json.loads(ops.print(*SET, "--yes", "--json"))["simulation"] is None


def test_a_change_without_a_simulation(ops: Ops) -> None:
    ops.send_requests("42", 100)
    output = ops.print(*SET, "--no-simulation", "--yes")
    assert "60/minute" in output
    assert "imulat" not in output
    assert json.loads(ops.print(*SET, "--no-simulation", "--yes", "--json"))["simulation"] is None


def test_a_token_on_standard_input_needs_yes(ops: Ops) -> None:
    ops.monkeypatch.delenv("LOCKGATE_OPS_TOKEN")
    ops.type_line(ops.server.token(READ, WRITE))
    ops.monkeypatch.setattr(sys.stdin, "is_terminal", False)
    assert ops.run(*SET, "--token", "-")[0] == 2
    ops.print(*SET, "--token", "-", "--yes")


def test_shadow_leaves_the_end_of_a_temporary_rate(ops: Ops) -> None:
    ops.print(*SET, "--until", "2099-12-04T18:00:00Z", "--yes")
    ops.print("shadow", "dashboards", "on", "--reason", "x", "--yes")
    live = json.loads(ops.print("show", "dashboards", "--json"))["live"]
    assert live == {"rate": "60/minute", "shadow": True, "until": "2099-12-04T18:00:00Z"}
