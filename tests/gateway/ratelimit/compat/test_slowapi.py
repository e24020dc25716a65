"""The drop-in for slowapi: code written for slowapi runs as it is, without its known faults."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from starlette.responses import StreamingResponse

from gateway.ratelimit.compat.slowapi import Limiter
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.memory import MemoryLimiter
from gateway.resources import Resources
from tests.gateway.ratelimit.charges import ManualClock
from tests.gateway.ratelimit.compat.slowapi_app import build_app, build_limiter, get_statuses, send


async def test_a_limit_with_slowapis_own_error_and_handler() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @app.get("/items/{number}")
    @slowapi_limiter.limit("2/minute")
    async def item(request: Request, number: int) -> int:
        return number

    assert await get_statuses(app, "/items/1", "/items/2") == [200, 200]
    refusal = await send(app, "/items/3")  # counted by endpoint: another path makes no difference
    assert refusal.status_code == 429
    assert refusal.json() == {"error": "Rate limit exceeded: 2 per 1 minute"}
    assert "Retry-After" not in refusal.headers


async def test_headers_are_whole_numbers_and_only_a_refusal_has_retry_after() -> None:
    slowapi_limiter = build_limiter(headers_enabled=True)
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit("1/minute")
    async def root(request: Request, response: Response) -> str:
        return "ok"

    admitted, refused = await send(app, "/"), await send(app, "/")
    for response, remaining in ((admitted, "0"), (refused, "0")):
        assert response.headers["X-RateLimit-Limit"] == "1"
        assert response.headers["X-RateLimit-Remaining"] == remaining
        assert response.headers["X-RateLimit-Reset"].isdigit()
    assert "Retry-After" not in admitted.headers
    assert refused.headers["Retry-After"] == "60"


async def test_retry_after_as_a_date() -> None:
    slowapi_limiter = build_limiter(headers_enabled=True, retry_after="http-date")
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit("1/minute")
    async def root(request: Request) -> Response:
        return Response()

    await send(app, "/")
    assert (await send(app, "/")).headers["Retry-After"].endswith(" GMT")


async def test_several_limits_are_checked_together_and_a_refusal_costs_nothing() -> None:
    clock = ManualClock()
    slowapi_limiter = Limiter(get_remote_address, engine=MemoryLimiter(clock=clock))
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit("3/hour")
    @slowapi_limiter.limit("2/minute;1/second")
    async def root(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/", "/", "/") == [200, 429, 429]
    clock.advance(1)
    assert await get_statuses(app, "/", "/") == [200, 429]
    clock.advance(60)
    assert await get_statuses(app, "/") == [200]
    clock.advance(60)
    refusal = await send(app, "/")
    assert refusal.json() == {"error": "Rate limit exceeded: 3 per 1 hour"}


async def test_included_routers_mounted_apps_and_streams() -> None:
    slowapi_limiter = build_limiter(headers_enabled=True)
    app, mounted, router = build_app(slowapi_limiter), build_app(slowapi_limiter), APIRouter()

    @router.get("/stream")
    @slowapi_limiter.limit("2/minute")
    async def stream(request: Request) -> StreamingResponse:
        async def events() -> AsyncIterator[bytes]:
            for number in range(3):
                yield f"data: {number}\n\n".encode()

        return StreamingResponse(events(), media_type="text/event-stream")

    @mounted.get("/inner")
    @slowapi_limiter.limit("1/minute")
    async def inner(request: Request, response: Response) -> str:
        return "ok"

    app.include_router(router, prefix="/v1")
    app.mount("/sub", mounted)
    response = await send(app, "/v1/stream")
    assert response.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert response.headers["X-RateLimit-Remaining"] == "1"
    assert await get_statuses(app, "/v1/stream", "/v1/stream") == [200, 429]
    assert await get_statuses(app, "/sub/inner", "/sub/inner") == [200, 429]


async def test_a_sync_endpoint_runs_in_the_thread_pool() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit("1/minute")
    def root(request: Request) -> bool:
        return threading.current_thread() is threading.main_thread()

    assert (await send(app, "/")).json() is False
    assert await get_statuses(app, "/") == [429]


async def test_concurrent_requests_never_exceed_the_limit() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit("5/minute")
    async def root(request: Request) -> str:
        return "ok"

    responses = await asyncio.gather(*(send(app, "/") for _ in range(20)))
    assert sorted(response.status_code for response in responses) == [200] * 5 + [429] * 15


async def test_the_default_engine_is_that_of_the_app() -> None:
    slowapi_limiter = Limiter(get_remote_address)
    app = build_app(slowapi_limiter)
    engine = MemoryLimiter(clock=ManualClock())
    app.state.resources = Resources()
    app.state.resources[RateLimiter] = engine

    @app.get("/")
    @slowapi_limiter.limit("5/minute")
    async def root(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/") == [200]
    assert engine.health()["keys"] == 1


async def test_exempt_enabled_and_reset() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @slowapi_limiter.exempt  # type: ignore[untyped-decorator]
    async def free(request: Request) -> str:
        return "ok"

    @slowapi_limiter.limit("1/minute")
    async def root(request: Request) -> str:
        return "ok"

    app.get("/free")(slowapi_limiter.limit("1/minute")(free))
    app.get("/")(root)
    assert await get_statuses(app, "/free", "/free") == [200, 200]
    assert await get_statuses(app, "/", "/") == [200, 429]
    slowapi_limiter.reset()
    assert await get_statuses(app, "/") == [200]
    slowapi_limiter.enabled = False
    assert await get_statuses(app, "/", "/") == [200, 200]


@pytest.mark.parametrize(
    "options",
    [
        {"storage_uri": "redis://127.0.0.1"},
        {"key_style": "url"},
        {"default_limits": ["1/minute"]},
        {"application_limits": ["1/minute"]},
        {"in_memory_fallback": ["1/minute"]},
    ],
)
def test_an_option_without_effect_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        build_limiter(**options)


def test_an_option_from_the_environment_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("RATELIMIT_DEFAULT", "1/minute")
        with pytest.raises(ValueError, match="default_limits"):
            build_limiter()
    monkeypatch.setenv("RATELIMIT_STORAGE_URL", "redis://127.0.0.1")
    with pytest.raises(ValueError, match="storage_uri"):
        build_limiter()


def test_errors_are_raised_when_the_route_is_declared() -> None:
    slowapi_limiter = build_limiter()

    async def good(request: Request) -> None: ...

    async def without_request() -> None: ...

    async def yielding(request: Request) -> AsyncIterator[str]:
        yield "event"

    cases: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: slowapi_limiter.limit("many/minute")(good), ValueError, "many/minute"),
        (lambda: slowapi_limiter.limit("1/minute")(without_request), TypeError, "request"),
        (lambda: slowapi_limiter.limit("1/minute")(yielding), TypeError, "yields"),
    ]
    for declare, error, text in cases:
        with pytest.raises(error, match=text):
            declare()


async def test_slowapis_middlewares_are_refused_with_a_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = build_app(build_limiter())
    app.add_middleware(SlowAPIMiddleware)

    @app.get("/")
    async def root() -> str:
        return "ok"

    with pytest.raises(AttributeError):  # raised by slowapi's handler, in place of our error
        await send(app, "/")
    assert "remove them" in caplog.text
