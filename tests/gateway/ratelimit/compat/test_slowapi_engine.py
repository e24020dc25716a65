"""A plain FastAPI app whose slowapi decorators count in Redis, opened in its lifespan."""

import asyncio
import gc
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from fastapi import FastAPI, Request
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.compat.slowapi import Limiter
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.settings.errors import InvalidSettings
from gateway.telemetry.log import LogEvent
from tests.gateway.ratelimit.compat.patient_engine import wait_long_for_redis
from tests.gateway.ratelimit.compat.slowapi_app import build_app, get_statuses, send
from tests.redis_server import RedisServer


def build_plain_app(**options: Any) -> tuple[FastAPI, Limiter]:
    """An app with routes for several limits, as one process has it."""
    slowapi_limiter = Limiter(get_remote_address, **options)
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit("2/hour")
    async def root(request: Request) -> str:
        return "ok"

    @app.get("/computed")
    @slowapi_limiter.limit(
        lambda request: request.headers["limit"],
        key_func=lambda request: request.headers["key"],
        cost=lambda request: float(request.headers.get("cost", "1")),
    )
    async def computed(request: Request) -> str:
        return "ok"

    @app.post("/reset")
    async def reset(request: Request) -> None:
        await slowapi_limiter.reset()

    @app.post("/reset-in-a-thread")
    def reset_in_a_thread(request: Request) -> None:
        slowapi_limiter.reset()

    return app, slowapi_limiter


@pytest.fixture(autouse=True)
def _patient_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_long_for_redis(monkeypatch)


@asynccontextmanager
async def open_app(server: RedisServer, **options: Any) -> AsyncIterator[tuple[FastAPI, Limiter]]:
    """The app within its lifespan."""
    app, slowapi_limiter = build_plain_app(**options)
    async with slowapi_limiter.open(app, redis_url=server.url):
        yield app, slowapi_limiter


@pytest.mark.redis
async def test_processes_share_the_counts_and_a_restart_keeps_them(
    redis_server: RedisServer,
) -> None:
    async with open_app(redis_server) as (one, _), open_app(redis_server) as (two, limiter):
        assert await get_statuses(one, "/") == [200]
        assert await get_statuses(two, "/", "/") == [200, 429]
    assert limiter.engine is None
    async with open_app(redis_server) as (restarted, _):
        assert await get_statuses(restarted, "/") == [429]
    async with open_app(redis_server, key_prefix="other") as (other, _):
        assert await get_statuses(other, "/") == [200]


@pytest.mark.redis
@pytest.mark.parametrize("path", ["/reset", "/reset-in-a-thread"])
async def test_reset_deletes_the_counts_in_redis_of_one_prefix(
    redis_server: RedisServer, path: str
) -> None:
    async with (
        open_app(redis_server) as (app, _),
        open_app(redis_server, key_prefix="[o]ther*") as (other, _),
    ):
        for each in (app, other):
            assert await get_statuses(each, "/", "/", "/") == [200, 200, 429]
        with redis.Redis.from_url(redis_server.url) as client:
            client.mset({f"lockgate:{{user:{number}}}:policy": "1" for number in range(2_500)})
            assert await get_statuses(app, path, method="POST") == [200]
            assert len(client.keys("lockgate:{user:*")) == 2_500
            assert len(client.keys("lockgate:{slow:*")) == 1
        assert await get_statuses(app, "/") == [200]
        assert await get_statuses(other, "/") == [429]


@pytest.mark.redis
async def test_any_key_limit_and_cost_that_is_admitted_in_process_is_in_redis_too(
    redis_server: RedisServer,
) -> None:
    async with open_app(redis_server) as (app, limiter):
        redis_engine = limiter.engine
        requests = [
            {"key": "a b/c", "limit": "0/minute"},
            {"key": "a b/c", "limit": "0/minute", "cost": "0"},
            {"key": "a", "limit": "999999999/second"},
            {"key": "a", "limit": "5/99999 days", "cost": "4.5"},
            {"key": "a", "limit": "5/99999 days"},
            {"key": "b" * 5_000, "limit": "5/minute", "cost": "1e300"},
            {"key": "b" * 5_000, "limit": "1/second;5/minute", "cost": "0"},
            {"key": "{brace}", "limit": "1/day,9/hour"},
            {"key": "{brace}", "limit": "1/day,9/hour"},
        ]
        outcomes = []
        for engine in (redis_engine, MemoryLimiter()):
            limiter.engine = engine
            outcomes.append([await get_statuses(app, "/computed", **each) for each in requests])
        assert outcomes[0] == outcomes[1]
        assert outcomes[0] == [[429], [200], [200], [200], [429], [429], [200], [200], [429]]
        limiter.engine = redis_engine
    with redis.Redis.from_url(redis_server.url) as client:
        assert all(len(key) < 120 for key in client.keys("*"))


async def test_without_a_url_it_counts_in_process() -> None:
    app, limiter = build_plain_app()
    async with limiter.open(app):
        assert await get_statuses(app, "/", "/", "/") == [200, 200, 429]
        limiter.reset()
        assert await get_statuses(app, "/") == [200]
    assert await get_statuses(app, "/") == [200]  # without an engine: the counts of the limiter


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis://:secret@127.0.0.1/zero", "nonsense"])
async def test_an_invalid_url_is_refused_and_not_quoted(url: str) -> None:
    app, limiter = build_plain_app()
    with pytest.raises(InvalidSettings, match="redis_url") as raised:
        async with limiter.open(app, redis_url=url):
            pass
    assert "secret" not in str(raised.value)
    with pytest.raises(InvalidSettings, match=r"counters\.processes"):
        async with limiter.open(app, processes=0):
            pass


async def test_what_is_left_of_slowapi_is_refused_at_the_start() -> None:
    app, limiter = build_plain_app()
    app.add_middleware(SlowAPIMiddleware)
    with pytest.raises(InvalidSettings, match="SlowAPIMiddleware: blocks the event loop"):
        async with limiter.open(app):
            pass


@pytest.mark.parametrize(
    ("options", "statuses"),
    [
        ({}, [200, 200, 429]),
        ({"in_memory_fallback_enabled": True}, [200, 200, 429]),
        ({"swallow_errors": True}, [200, 200, 200]),
        ({"in_memory_fallback_enabled": False}, [503, 503, 503]),
    ],
)
async def test_without_redis_the_declared_fallback_decides(
    options: dict[str, Any], statuses: list[int]
) -> None:
    app, limiter = build_plain_app(**options)
    async with limiter.open(app, redis_url="redis://127.0.0.1:1"):
        assert await get_statuses(app, "/", "/", "/") == statuses


@pytest.mark.parametrize("kind", [None, RateLimiterUnavailable, HTTPException])
async def test_a_503_has_a_retry_after_and_can_have_a_handler(
    kind: type[Exception] | None,
) -> None:
    app, limiter = build_plain_app(in_memory_fallback_enabled=False)

    async def respond(request: Request, error: Any) -> Response:
        return Response(f"own: {error.detail}", status_code=503, headers=error.headers)

    if kind is not None:
        app.add_exception_handler(kind, respond)
    async with limiter.open(app, redis_url="redis://127.0.0.1:1"):
        response = await send(app, "/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    detail = RateLimiterUnavailable.detail
    assert response.text == f"own: {detail}" if kind else response.json() == {"detail": detail}


KEYS: list[tuple[Any, Any, bool]] = [
    # two keys, and whether they are one caller
    (7, "7", True),
    (7, 8, False),
    (b"name", "name", True),
    (uuid.UUID(int=7), str(uuid.UUID(int=7)), True),
    (True, "True", True),
    (1.5, "1.5", True),
    (("a", "b"), "('a', 'b')", True),
    ("a b", "a  b", False),
    ("a/b", "a", False),
    ("a\n", "a", False),
    ("ä\x00", "ä", False),
    ("\ud800", "?", False),
    (b"\xff", b"\xfe", False),
    ("x" * 100_000, "x" * 100_001, False),
]


@pytest.mark.parametrize(("first", "second", "is_one"), KEYS)
async def test_keys_are_those_of_slowapi(first: Any, second: Any, is_one: bool) -> None:
    keys: list[Any] = [first, second]
    limiter = Limiter(lambda: keys.pop(0))
    app = build_app(limiter)

    @app.get("/")
    @limiter.limit("1/minute")
    async def root(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/", "/") == [200, 429 if is_one else 200]


@pytest.mark.parametrize("key", [None, "", 0, False, b"", ()])
async def test_an_empty_key_skips_the_limit_with_an_error_in_the_log(
    key: Any, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = Limiter(lambda: key)
    app = build_app(limiter)

    @app.get("/")
    @limiter.limit("1/minute")
    async def root(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/", "/") == [200, 200]
    assert "Skipping limit of" in caplog.text


@pytest.mark.redis
async def test_a_reset_in_a_running_loop_needs_no_await(redis_server: RedisServer) -> None:
    async with open_app(redis_server) as (app, limiter):
        assert await get_statuses(app, "/", "/", "/") == [200, 200, 429]
        limiter.reset()
        with redis.Redis.from_url(redis_server.url) as client:
            for _ in range(2_000):
                if not client.keys("lockgate:{slow:*"):
                    break
                await asyncio.sleep(0.005)
        assert await get_statuses(app, "/") == [200]


@pytest.mark.redis
async def test_a_reset_that_fails_is_raised_or_logged_at_once(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    user = "ACL SETUSER counter reset on nopass ~* +@all -scan"
    with redis.Redis.from_url(redis_server.url) as client:
        client.execute_command(user)
    url = redis_server.url.replace("redis://", "redis://counter:any@")
    app, limiter = build_plain_app()
    reports = []
    asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
    async with limiter.open(app, redis_url=url):
        assert await get_statuses(app, "/", "/", "/") == [200, 200, 429]
        with pytest.raises(redis.exceptions.NoPermissionError):
            await limiter.reset()
        with pytest.raises(redis.exceptions.NoPermissionError):
            await asyncio.to_thread(limiter.reset)
        assert "redis.reset_failed" not in caplog.text
        limiter.reset()
        for _ in range(2_000):
            if "redis.reset_failed" in caplog.text:
                break
            await asyncio.sleep(0.005)
    (record,) = (each for each in caplog.records if "redis.reset_failed" in each.getMessage())
    assert isinstance(record, LogEvent)
    assert record.levelname == "ERROR"
    assert "the user of redis_url lacks a permission" in str(record.fields["reason"])
    gc.collect()
    await asyncio.sleep(0)
    assert not reports
