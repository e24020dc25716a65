"""Under `ulimit -n 1024`, 5,000 silent connections take nothing from 64 busy clients."""

import asyncio
from pathlib import Path

import pytest

from gateway.server.file_limit import raise_file_limit
from tests.e2e.serve_process import run_serve
from tests.e2e.silent_connections import run_busy_clients
from tests.running_demo import Demo

pytestmark = [pytest.mark.prove, pytest.mark.timeout(300)]


def test_5000_silent_connections_cost_64_busy_clients_no_request(
    demo: Demo, tmp_path: Path
) -> None:
    raise_file_limit()
    limits = {"LOCKGATE_LIMITS__DASHBOARDS": "1000000/minute"}
    with run_serve(demo, tmp_path / "log", "ulimit -n 1024; ", **limits) as gateway:
        outcome = asyncio.run(
            run_busy_clients(
                gateway.url, "/dashboard/42", demo.token, silent=5_000, busy=64, seconds=20
            )
        )
        events = [event["event"] for event in gateway.read_events()]
        assert gateway.stop() == 0
    print(dict(outcome.statuses), flush=True)
    assert not outcome.find_failures()
    assert outcome.statuses["/dashboard/42", 200] > 64
    assert "server.connections_limited" in events
    assert "server.accept_failed" not in events
