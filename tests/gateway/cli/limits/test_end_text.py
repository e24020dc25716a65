"""The end of live values: what a change does to it, and what is changed once it has passed."""

import pytest

from tests.gateway.cli.limits.conftest import Ops

SET = ("set", "dashboards", "60/minute", "--reason", "a", "--yes")
SHADOW = ("shadow", "dashboards", "on", "--reason", "a", "--yes")
USER = "user:#" + "7" * 32
ENDED = {"until": "2001-01-01T00:00:00Z"}
END = {"until": "2099-12-04T18:00:00Z"}


def find_rows(output: str, name: str) -> list[list[str]]:
    """Return what is in force and what will be, of a row of the table."""
    return [it.split()[1:] for it in output.splitlines() if it.split()[:1] == [name]]


@pytest.mark.parametrize("state", ["on", "off"])
def test_after_the_end_shadow_is_turned(ops: Ops, state: str) -> None:
    policy, former = ("pages", "on") if state == "off" else ("dashboards", "off")
    ops.store_document({"shadow": state == "on", "rate": "9/minute", **ENDED}, policy)
    output = ops.print("shadow", policy, state, "--reason", "a", "--yes")
    assert find_rows(output, "shadow") == [[former, state]]
    assert find_rows(output, "until") == []
    assert ops.get(policy).live == {"shadow": state == "on"}
    assert ops.get(policy).in_force.shadow is (state == "on")


def test_after_the_end_a_rate_is_set_and_simulated(ops: Ops) -> None:
    ops.store_document({"shadow": True, "rate": "60/minute", **ENDED})
    ops.send_requests("42", 100)
    assert "newly refused   40" in ops.print("simulate", "dashboards", "60/minute")
    output = ops.print(*SET)
    assert find_rows(output, "rate") == [["120/minute", "60/minute"]]
    assert "newly refused   40" in output
    assert ops.get().live == {"rate": "60/minute"}


def test_an_override_that_has_ended_is_none(ops: Ops) -> None:
    ops.store_document({"overrides": {USER: {"kind": "block", **ENDED}}})
    override = ("override", "dashboards", USER, "--reason", "a", "--yes")
    status, _, errors = ops.run(*override, "--remove")
    assert (status, errors) == (1, f"lockgate: {USER} has no override under dashboards\n")
    output = ops.print(*override, "--allow")
    assert find_rows(output, USER) == [["-", "never", "limited"]]


def test_a_rollback_says_which_ends_have_passed(ops: Ops) -> None:
    block = {"kind": "block", **ENDED}
    ops.store_document({"rate": "9/minute", **ENDED, "overrides": {USER: block}})
    ops.print(*SET)
    output = ops.print("rollback", "dashboards", "--to", "1", "--reason", "a", "--yes")
    assert find_rows(output, "rate") == [["60/minute", "120/minute"]]
    assert [it[-2:] for it in find_rows(output, "until")] == [["has", "passed"]]
    assert [it[-2:] for it in find_rows(output, USER)] == [["has", "passed"]]


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (SHADOW, "rate 90/minute, burst 3"),
        (SET, "burst 3"),
        ((*SET, "--burst", "5"), ""),
    ],
)
def test_without_until_nothing_ends(ops: Ops, command: tuple[str, ...], kept: str) -> None:
    """An end that an earlier change has set is taken away, and the command says so."""
    ops.store_document({"rate": "90/minute", "burst": 3, **END})
    output = ops.print(*command)
    [until] = find_rows(output, "until")
    assert until[-2:] == ["no", "end"]
    line = (
        f"Without --until, nothing ends: {kept} will stay. To keep the end: --until {END['until']}"
    )
    assert (line in output.splitlines()) is bool(kept)
    assert ("Without --until" in output) is bool(kept)
    live = ops.get().live
    assert live is not None
    assert "until" not in live


def test_an_end_is_that_of_all_live_values(ops: Ops) -> None:
    ops.print(*SET)
    output = ops.print(*SHADOW, "--until", END["until"])
    line = "All live values have one end, so this is also the end of rate 60/minute."
    assert line in output.splitlines()
    assert ops.get().live == {"rate": "60/minute", "shadow": True, **END}
    assert "All live values" not in ops.print(*SET, "--burst", "5", "--until", END["until"])


def test_a_rate_leaves_a_policy_in_shadow(ops: Ops) -> None:
    ops.print(*SHADOW)
    output = ops.print(*SET)
    assert find_rows(output, "shadow") == []
    assert output.endswith("dashboards is at version 2: 60/minute (shadow)\n")


def test_an_override_outlives_the_end_of_the_values(ops: Ops) -> None:
    override = {"kind": "rate", "rate": "9/second"}
    ops.store_document({"rate": "60/minute", **ENDED, "overrides": {USER: override}})
    limit = ops.get()
    assert (limit.source, limit.in_force.rate) == ("code", "120/minute")
    assert [it.rate for it in limit.overrides] == ["9/second"]
