"""`lockgate limits override`: one caller has another limit than the others."""

import pytest

from gateway.fakes.identity_endpoints import ISSUER
from tests.gateway.cli.limits.conftest import Ops

OVERRIDE = ("override", "dashboards", "user:42", "--reason", "migration", "--yes")


@pytest.mark.parametrize(
    ("options", "stored", "shown"),
    [
        (["--times", "5"], {"kind": "times", "times": 5}, "5 times the limit"),
        (["--rate", "9/second"], {"kind": "rate", "rate": "9/second"}, "9/second"),
        (["--block"], {"kind": "block"}, "blocked"),
        (["--allow", "--issuer", ISSUER], {"kind": "allow"}, "never limited"),
        (["--times", "0.5"], {"kind": "times", "times": 0.5}, "0.5 times the limit"),
        (
            ["--block", "--until", "2099-12-04T18:00:00Z"],
            {"kind": "block", "until": "2099-12-04T18:00:00Z"},
            "blocked, until Friday 2099-12-04 ",
        ),
    ],
)
def test_an_override_is_added_and_removed(
    ops: Ops, options: list[str], stored: dict[str, object], shown: str
) -> None:
    output = ops.print(*OVERRIDE, *options)
    row = next(line for line in output.splitlines() if line.startswith("user:42"))
    _, former, coming = row.split(maxsplit=2)
    assert former == "-"
    assert coming.startswith(shown)
    live = ops.get().live
    assert live is not None
    [(key, override)] = live["overrides"].items()
    assert override == {**stored, "caller": "user:42", "reason": "migration"}

    output = ops.print("override", "dashboards", key, "--remove", "--reason", "a", "--yes")
    row = next(line for line in output.splitlines() if line.startswith("user:42"))
    assert row.split()[-1] == "-"
    assert ops.get().overrides == []


def test_another_override_replaces_the_first(ops: Ops) -> None:
    ops.print(*OVERRIDE, "--times", "5", "--until", "2h")
    ops.print(*OVERRIDE, "--allow")
    [override] = ops.get().overrides
    assert (override.kind, override.caller, override.until) == ("allow", "user:42", None)
    ops.print(*OVERRIDE, "--remove")
    assert ops.get().overrides == []


def test_an_override_that_is_not_there_cannot_be_removed(ops: Ops) -> None:
    status, output, errors = ops.run(*OVERRIDE, "--remove")
    assert (status, output) == (1, "")
    assert errors == "lockgate: user:42 has no override under dashboards\n"
    assert ops.get().version == 0


def test_the_effect_is_that_on_the_caller(ops: Ops) -> None:
    ops.send_requests("42", 130)
    ops.send_requests("7", 125)
    output = ops.print(*OVERRIDE, "--times", "5")
    assert "newly admitted  10 (3.9%)" in output
    assert ops.send_requests("42", 10) == 10
    assert ops.send_requests("7", 10) == 0


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("service:billing", "key: dashboards does not count service:billing; its keys are user:"),
        ("user:42", "issuer: is not an issuer of the settings"),
    ],
)
def test_a_key_that_fits_no_caller_is_refused(ops: Ops, key: str, message: str) -> None:
    issuer = ["--issuer", "https://other.test"] if key == "user:42" else []
    arguments = ("override", "dashboards", key, *issuer, "--block", "--reason", "a", "--yes")
    status, output, errors = ops.run(*arguments)
    assert (status, output) == (1, "")
    assert message in errors
    assert ops.get().version == 0


def test_an_override_of_a_concurrency_limit_is_a_number(ops: Ops) -> None:
    override = ("override", "chats", "user:42", "--rate", "20", "--reason", "a", "--yes")
    assert "user:42  -             20 at once" in ops.print(*override)
    [stored] = ops.get("chats").overrides
    assert (stored.kind, stored.limit, stored.rate) == ("rate", 20, None)
