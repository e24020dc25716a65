"""`lockgate serve` with a real Redis: two processes, one quota; Redis lost and found again."""

import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.served import served
from tests.redis_server import RedisServer
from tests.running_demo import Demo, ask

pytestmark = pytest.mark.redis


def ask_as(token: str, url: str, path: str = "/dashboard/42") -> httpx.Response:
    return ask("GET", url + path, headers={"Authorization": f"Bearer {token}"})


def test_two_processes_share_one_quota(
    demo: Demo, redis_server: RedisServer, tmp_path: Path
) -> None:
    shared = {"LOCKGATE_REDIS_URL": redis_server.url, "LOCKGATE_LIMITS__DASHBOARDS": "5/hour"}
    with (
        served(demo, tmp_path / "a", **shared) as a,
        served(demo, tmp_path / "b", **shared) as b,
    ):
        urls = [a.url, b.url]
        answers = [ask_as(demo.token, urls[n % 2]) for n in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    refused = answers[-1]
    assert refused.json()["type"].endswith("#quota-exceeded")
    assert refused.json()["violated-policies"] == ["dashboards"]
    assert refused.headers["ratelimit-policy"] == '"dashboards";q=5;w=3600'
    remaining, _, reset = refused.headers["ratelimit"].partition(";t=")
    assert remaining == '"dashboards";r=0'
    assert int(reset) <= int(refused.headers["retry-after"])


def test_a_lost_redis_is_told_and_found_again(
    demo: Demo, own_redis: RedisServer, tmp_path: Path
) -> None:
    with served(demo, tmp_path / "log", LOCKGATE_REDIS_URL=own_redis.url) as gateway:
        url = gateway.url
        assert "lockgate-limits" not in ask_as(demo.token, url).headers
        own_redis.kill()
        lost = ask_as(demo.token, url)
        assert lost.status_code == 200
        assert lost.headers["lockgate-limits"] == "local"
        assert ask_as(demo.token, url, "/readyz").json()["status"] == "degraded"
        own_redis.start()
        ends_at = time.monotonic() + 10
        while "lockgate-limits" in ask_as(demo.token, url).headers:
            assert time.monotonic() < ends_at, "Redis is back, and nobody noticed"
            time.sleep(0.05)
        assert ask_as(demo.token, url, "/readyz").json()["status"] == "ok"
        assert gateway.stop() == 0


def test_the_log_has_one_line_a_request_and_never_the_token(demo: Demo, tmp_path: Path) -> None:
    with served(demo, tmp_path / "log") as gateway:
        ask_as(demo.token, gateway.url)
        ask_as(demo.token, gateway.url, "/dashboard/43")
        ask_as(demo.token + "x", gateway.url)
        assert gateway.stop() == 0
        requests = [event for event in gateway.events() if event["event"] == "request.completed"]
        log = gateway.log.read_text()
    assert [request["status"] for request in requests] == [200, 403, 401]
    assert requests[0]["caller"] == "42"
    assert all(len(part) < 20 or part not in log for part in demo.token.split("."))
