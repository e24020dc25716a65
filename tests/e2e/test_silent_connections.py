"""More silent connections than the process may have open take nothing from other clients."""

import asyncio
from pathlib import Path

from tests.e2e.serve_process import run_serve
from tests.e2e.silent_connections import run_busy_clients
from tests.running_demo import Demo


def test_silent_connections_give_way_to_busy_clients(demo: Demo, tmp_path: Path) -> None:
    limits = {"LOCKGATE_LIMITS__DASHBOARDS": "1000000/minute"}
    with run_serve(demo, tmp_path / "log", "ulimit -n 200; ", **limits) as gateway:
        outcome = asyncio.run(
            run_busy_clients(
                gateway.url, "/dashboard/42", demo.token, silent=500, busy=8, seconds=0.5
            )
        )
        events = gateway.read_events()
        assert gateway.stop() == 0
    assert not outcome.find_failures()
    assert {path for path, _ in outcome.statuses} == {"/dashboard/42", "/healthz", "/readyz"}
    (started,) = [event for event in events if event["event"] == "gateway.started"]
    (limited,) = [event for event in events if event["event"] == "server.connections_limited"]
    assert started["max_connections"] == limited["max_connections"] == 100
    assert "server.accept_failed" not in [event["event"] for event in events]
