"""`lockgate serve` opens the ops port if it runs alone; `lockgate ops` hears several of them."""

import io
import time
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.fakes.identity_endpoints import OPS_AUDIENCE
from tests.e2e.serve_process import build_environment, run_serve_with
from tests.redis_server import RedisServer
from tests.running_demo import Demo, send_request

pytestmark = [pytest.mark.redis, pytest.mark.timeout(180)]  # processes start slowly


def get_operator_token(demo: Demo) -> str:
    """Get a token as an operator of the demo does."""
    port = demo.service("identity").rpartition(":")[2]
    output = io.StringIO()
    with redirect_stdout(output):
        assert main(["token", "--ops", "--port", port]) == 0
    return output.getvalue().strip()


class Operator:
    """A client of an ops app."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> Any:
        response = send_request("GET", self._url + path, headers=self._headers)
        assert response.status_code == 200, response.text
        return response.json()

    def wait_for(self, path: str, condition: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + 60
        while not condition(found := self.get(path)):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found


def test_a_gateway_that_runs_alone_opens_the_ops_port(demo: Demo, tmp_path: Path) -> None:
    environment = build_environment(demo, LOCKGATE_OPS__AUDIENCE=OPS_AUDIENCE)
    with run_serve_with(environment, tmp_path / "log") as gateway:
        headers = {"Authorization": f"Bearer {demo.token}"}
        page = send_request("GET", f"{gateway.url}/dashboard/42", headers=headers)
        assert page.status_code == 200
        assert send_request("GET", f"{gateway.url}/limits", headers=headers).status_code == 404
        operator = Operator(gateway.ops_url, get_operator_token(demo))
        usage = operator.get("/limits/dashboards/usage")
        assert sum(usage["allowed"]) == 1
        assert [it["caller"] for it in usage["top_keys"]] == ["user:42"]
        states = {it["name"]: it["state"] for it in operator.get("/status")["services"]}
        assert states["orders"] == "reachable"
        assert gateway.stop() == 0


def test_lockgate_ops_hears_all_gateways_and_names_them(
    demo: Demo, tmp_path: Path, redis_server: RedisServer
) -> None:
    environment = build_environment(
        demo,
        LOCKGATE_OPS__AUDIENCE=OPS_AUDIENCE,
        LOCKGATE_REDIS_URL=redis_server.url,
        LOCKGATE_COUNTERS__PROCESSES="2",
        LOCKGATE_COUNTERS__TIMEOUT_MS="1000",
    )
    with ExitStack() as stack:
        # One after the other: a slow machine would need too long for all of them at once.
        one = stack.enter_context(run_serve_with(environment, tmp_path / "one"))
        assert one.url
        two = stack.enter_context(run_serve_with(environment, tmp_path / "two"))
        assert two.url
        running = run_serve_with(environment, tmp_path / "ops", subcommand="ops")
        ops = stack.enter_context(running)
        headers = {"Authorization": f"Bearer {demo.token}"}
        for gateway in (one, two, one):
            page = send_request("GET", f"{gateway.url}/dashboard/42", headers=headers)
            assert page.status_code == 200
        assert "ops.not_served" in [event["event"] for event in one.read_events()]
        operator = Operator(ops.ops_url, get_operator_token(demo))
        heard = operator.wait_for("/usage", lambda it: len(it["processes"]) == 2)
        names = " ".join(it["name"] for it in heard["processes"])
        assert f"-{one.process.pid}-" in names
        assert f"-{two.process.pid}-" in names
        usage = operator.get("/limits/dashboards/usage")
        assert sum(usage["allowed"]) == 3
        assert operator.get("/limits/dashboards/callers/user:42")["rules"][0]["remaining"] == 117
        assert one.stop() == 0
        operator.wait_for("/usage", lambda it: len(it["processes"]) == 1)
        assert ops.stop() == 0
        events = [event["event"] for event in ops.read_events()]
        assert "ops.without_changes" in events  # it has no database
        assert events[-1] == "ops.stopping"
