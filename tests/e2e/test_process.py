"""`lockgate serve` as people run it: variables of a pod, the log, a failing task, a stuck log."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.fakes.identity_endpoints import ISSUER
from tests.e2e.serve_process import ON_ANY_PORT, ServeProcess, build_environment, run_serve
from tests.redis_server import RedisServer
from tests.running_demo import Demo, send_request

pytestmark = pytest.mark.redis

POD = {
    "LOCKGATE_PORT": "tcp://10.96.3.7:80",
    "LOCKGATE_PORT_80_TCP_ADDR": "10.96.3.7",
    "LOCKGATE_SERVICE_HOST": "10.96.3.7",
    "LOCKGATE_SERVICE_PORT_HTTP": "80",
    "LOCKGATE_REDIS_PORT": "tcp://10.96.3.8:6379",
    "LOCKGATE_REDIS_URL": "",
    "LOCKGATE_LOG__FORMAT": " ",
    "LOCKGATE_LOG__LEVEL": "debug\r",
    "LOCKGATE_COUNTERS__KEY_PREFIX": "staging:",
}


def find_events(gateway: ServeProcess, event: str) -> list[dict[str, Any]]:
    return [dict(line) for line in gateway.read_events() if line["event"] == event]


def test_the_log_of_a_pod(demo: Demo, redis_server: RedisServer, tmp_path: Path) -> None:
    secret = tmp_path / "redis-url"
    secret.write_text(f"{redis_server.url}\n")
    variables = {**POD, "LOCKGATE_REDIS_URL_FILE": str(secret)}
    request_id = "Root=1-5759e988-bd862e3fe1be46a994272793"
    with run_serve(demo, tmp_path / "log", **variables) as gateway:
        page = send_request(
            "GET",
            f"{gateway.url}/dashboard/42?access_token=hunter2",
            headers={
                "Authorization": f"Bearer {demo.token}",
                "User-Agent": "kiosk/1",
                "X-Request-Id": request_id,
            },
        )
        ready = send_request("GET", f"{gateway.url}/readyz")
        missing = send_request("GET", f"{gateway.url}/nowhere%1b%5b31m")
        assert gateway.stop() == 0
        log = gateway.log.read_text()
    assert (page.status_code, ready.status_code) == (200, 200)
    assert missing.status_code == 400
    assert page.headers["x-request-id"] == request_id
    assert redis_server.command("KEYS", "staging:lockgate:*dashboards:60") == "*1"
    lines = find_events(gateway, "request.completed")
    shown = [(line["level"], line["route"], line["status"]) for line in lines]
    assert shown == [
        ("info", "/dashboard/{user_id}", 200),
        ("debug", "/readyz", 200),
        ("info", "", 400),
    ]
    expected = {"id": request_id, "client": "127.0.0.1", "user_agent": "kiosk/1", "caller": "42"}
    assert lines[0] | expected == lines[0]
    assert lines[0]["issuer"] == ISSUER
    assert lines[0]["server_timing"] == page.headers["server-timing"]
    calls = find_events(gateway, "upstream.completed")
    assert {call["id"] for call in calls} == {request_id}
    assert {call["path"] for call in calls} >= {"/users/{user_id}"}
    assert "hunter2" not in log
    assert "\x1b" not in log


FAILING_TASK = """
import asyncio
from contextlib import asynccontextmanager


async def poll():
    await asyncio.sleep(0.2)
    raise LookupError("no price")


@asynccontextmanager
async def lifespan(resources):
    task = asyncio.create_task(poll(), name="poll prices")
    yield
    task.cancel()
"""


def test_a_task_of_the_package_that_fails(demo: Demo, tmp_path: Path) -> None:
    package = tmp_path / "kiosk_tasks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "lifespan.py").write_text(FAILING_TASK)
    (package / "limits.py").write_text(
        "from gateway.ratelimit import RateLimit\nALL = RateLimit('all', '1/second')\n"
    )
    issuers = [{"issuer": "https://idp", "audience": "x", "jwks_url": "http://127.0.0.1:1/keys"}]
    environment = {
        "PYTHONPATH": str(tmp_path),
        "LOCKGATE_APP__PACKAGE": package.name,
        "LOCKGATE_ISSUERS": json.dumps(issuers),
    }
    names = [f"LOCKGATE_UPSTREAMS__{service.upper()}__URL" for service in demo.services]
    unset = dict.fromkeys(names, "")
    with run_serve(demo, tmp_path / "log", **environment, **unset) as gateway:
        url, deadline = gateway.url, time.monotonic() + 60
        while not (ready := send_request("GET", f"{url}/readyz").json())["tasks"]:
            assert time.monotonic() < deadline, ready
            time.sleep(0.02)
        assert ready["tasks"] == {"poll prices": "LookupError"}
        assert send_request("GET", f"{url}/healthz").status_code == 200
        assert gateway.stop() == 0
        (failed,) = find_events(gateway, "task.failed")
        assert "no price" in failed["exception"]


@pytest.mark.parametrize("reader_leaves", [True, False])
def test_a_log_without_a_reader_stops_nothing(demo: Demo, *, reader_leaves: bool) -> None:
    command = [sys.executable, "-m", "gateway.cli", "serve"]
    environment = {**ON_ANY_PORT, **build_environment(demo)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        lines: list[bytes] = []
        while not lines or b"gateway.started" not in lines[-1]:
            lines.append(process.stderr.readline())
            assert lines[-1], b"".join(lines).decode()  # the gateway has not started
        url = json.loads(lines[-1])["url"]
        if reader_leaves:
            process.stderr.close()
        with httpx.Client(base_url=url, trust_env=False, verify=False) as client:
            for _ in range(200):  # more than a pipe holds
                assert client.get("/" + "x" * 4_000).status_code == 404
        process.terminate()
        assert process.wait(20) == 0
