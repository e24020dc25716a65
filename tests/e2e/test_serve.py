"""`lockgate serve` with a real Redis: a quota shared by two processes, and a Redis outage."""

import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.serve_process import run_serve
from tests.redis_server import RedisServer
from tests.running_demo import Demo, send_request

pytestmark = pytest.mark.redis


def get_page(token: str, url: str, path: str = "/dashboard/42") -> httpx.Response:
    return send_request("GET", url + path, headers={"Authorization": f"Bearer {token}"})


def use_redis(server: RedisServer) -> dict[str, str]:
    """Return the variables of a gateway that waits long for a Redis: the machine may be busy."""
    return {"LOCKGATE_REDIS_URL": server.url, "LOCKGATE_COUNTERS__TIMEOUT_MS": "1000"}


def test_two_processes_share_one_quota(
    demo: Demo, redis_server: RedisServer, tmp_path: Path
) -> None:
    shared = {"LOCKGATE_LIMITS__DASHBOARDS": "5/hour", **use_redis(redis_server)}
    with (
        run_serve(demo, tmp_path / "a", **shared) as a,
        run_serve(demo, tmp_path / "b", **shared) as b,
    ):
        urls = [a.url, b.url]
        responses = [get_page(demo.token, urls[n % 2]) for n in range(8)]
    assert [response.status_code for response in responses] == [200] * 5 + [429] * 3
    refusal = responses[-1]
    assert refusal.json()["type"].endswith("#quota-exceeded")
    assert refusal.json()["violated-policies"] == ["dashboards"]
    assert refusal.headers["ratelimit-policy"] == '"dashboards";q=5;w=3600'
    remaining, _, reset = refusal.headers["ratelimit"].partition(";t=")
    assert remaining == '"dashboards";r=0'
    assert int(reset) <= int(refusal.headers["retry-after"])


def test_a_redis_outage_is_reported_and_recovered_from(
    demo: Demo, own_redis: RedisServer, tmp_path: Path
) -> None:
    with run_serve(demo, tmp_path / "log", **use_redis(own_redis)) as gateway:
        url = gateway.url
        assert "lockgate-limits" not in get_page(demo.token, url).headers
        own_redis.kill()
        response = get_page(demo.token, url)
        assert response.status_code == 200
        assert response.headers["lockgate-limits"] == "local"
        assert get_page(demo.token, url, "/readyz").json()["status"] == "degraded"
        own_redis.start()
        deadline = time.monotonic() + 60
        while "lockgate-limits" in get_page(demo.token, url).headers:
            assert time.monotonic() < deadline, "the gateway did not notice that Redis is back"
            time.sleep(0.05)
        assert get_page(demo.token, url, "/readyz").json()["status"] == "ok"
        assert gateway.stop() == 0


def test_the_log_has_one_line_per_request_and_no_token(demo: Demo, tmp_path: Path) -> None:
    with run_serve(demo, tmp_path / "log") as gateway:
        get_page(demo.token, gateway.url)
        get_page(demo.token, gateway.url, "/dashboard/43")
        get_page(demo.token + "x", gateway.url)
        assert gateway.stop() == 0
        (started,) = [it for it in gateway.read_events() if it["event"] == "gateway.started"]
        requests = [
            event for event in gateway.read_events() if event["event"] == "request.completed"
        ]
        log = gateway.log.read_text()
    assert [request["status"] for request in requests] == [200, 403, 401]
    assert requests[0]["caller"] == "42"
    assert (started["package"], started["found_by"]) == ("tests.sample", "app.package")
    assert all(len(part) < 20 or part not in log for part in demo.token.split("."))
