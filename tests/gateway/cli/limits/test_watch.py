"""`lockgate limits top` and `watch`: the requests under each policy, now and live."""

import json
import re
import sys

import pytest

from gateway.cli.limits import watch
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.ops_refusal import OpsUnreachable
from gateway.ops.models import LimitList
from gateway.ops.traffic import OwnTraffic
from tests.gateway.cli.limits.conftest import Ops
from tests.gateway.ops.ops_server import POLICIES


class NoPause:
    """Stands for the event whose wait is the pause."""

    def wait(self, seconds: float) -> None:
        """Return at once."""
        assert seconds == 1


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "Event", NoPause)


def test_top_lists_the_callers(ops: Ops) -> None:
    ops.send_requests("42", 125)
    ops.send_requests("7", 10)
    lines = ops.print("top", "dashboards", "--seconds", "60").splitlines()
    assert lines[1].split()[1:] == ["user:42", "120", "5"]
    assert lines[2].split()[1:] == ["user:7", "10", "0"]
    assert lines[3].startswith("In all, in 60 s: 130 allowed, 5 refused.")
    usage = json.loads(ops.print("top", "dashboards", "--json"))
    assert sum(usage["refused"]) == 5


def test_top_counts_what_only_shadow_admits(ops: Ops) -> None:
    ops.print("shadow", "dashboards", "on", "--reason", "new", "--yes")
    ops.send_requests("42", 125)
    output = ops.print("top", "dashboards", "--seconds", "60")
    assert output.endswith("0 refused; 5 more would be refused without shadow.\n")


def test_what_is_not_known_is_not_0(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OwnTraffic, "find_fault", lambda _: "no gateway process is heard")
    status, output, errors = ops.run("top", "dashboards")
    assert (status, output) == (1, "")
    assert "nothing is known of the traffic: no gateway process is heard" in errors
    _, output, errors = ops.run("watch", "--count", "1")
    assert output == ""
    assert "nothing is known of the traffic: no gateway process is heard" in errors
    assert json.loads(ops.print("watch", "--count", "1", "--json"))["fault"]


def test_watch_prints_plain_lines_without_a_terminal(ops: Ops) -> None:
    ops.send_requests("42", 1)
    lines = ops.print("watch", "--count", "2").splitlines()
    assert len(lines) == 2 * len(POLICIES)
    assert re.fullmatch(
        r"\S+Z dashboards version=0 allowed=\S+ refused=\S+ shadow_refused=\S+ limit=120/minute",
        lines[0],
    )
    assert "\x1b" not in "".join(lines)
    document = json.loads(ops.print("watch", "--count", "1", "--json"))
    assert document["versions"] == dict.fromkeys(POLICIES, 0)
    assert set(document["policies"]["dashboards"]) == {"allowed", "refused", "shadow_refused"}


def test_watch_redraws_a_terminal(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    clear = "\x1b[H\x1b[2J"
    _, first, second = ops.print("watch", "--count", "2").split(clear)
    for screen in (first, second):
        assert "processes seen: " in screen
        assert "dashboards  0        120/minute" in screen
        assert "\x1b" not in screen


def test_watch_shows_what_fits_the_window(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    monkeypatch.setenv("LINES", "6")
    lines = ops.print("watch", "--count", "1").splitlines()
    assert len(lines) == 5
    assert lines[-1] == f"{len(POLICIES) - 2} more do not fit the window. Ctrl-C ends it."


def test_watch_outlives_a_reading_without_a_response(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_limits, readings = OpsClient.list_limits, iter((1, 2, 3))

    def fail_once(client: OpsClient) -> LimitList:
        if next(readings) == 2:
            raise OpsUnreachable("no ops app can be reached")
        return list_limits(client)

    monkeypatch.setattr(OpsClient, "list_limits", fail_once)
    status, output, errors = ops.run("watch", "--count", "3")
    assert status == 0
    assert len(output.splitlines()) == 2 * len(POLICIES)
    assert errors.endswith("no ops app can be reached\n")


def test_watch_ends_if_there_is_no_ops_app_from_the_start(ops: Ops) -> None:
    status, output, errors = ops.run("watch", "--ops", "http://127.0.0.1:1")
    assert (status, output) == (1, "")
    assert "no ops app can be reached at http://127.0.0.1:1" in errors


def test_watch_ends_if_the_token_is_refused(ops: Ops) -> None:
    status, _, errors = ops.run("watch", "--token", "a.b.c")
    assert status == 1
    assert "does not accept the token" in errors
