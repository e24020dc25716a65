"""The drop-in for slowapi: code written for slowapi runs as it is, without its known faults."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, HTTPException, Request, Response
from slowapi.middleware import SlowAPIASGIMiddleware, SlowAPIMiddleware
from slowapi.util import get_remote_address
from starlette.responses import StreamingResponse

from gateway.ratelimit.compat.slowapi import Limiter
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.memory_limiter import MemoryLimiter
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
    slowapi_limiter.reset()
    assert engine.health()["keys"] == 0
    app.state.resources = {"name": "resources of an app that is not a gateway"}
    assert await get_statuses(app, "/") == [200]
    assert engine.health()["keys"] == 0


async def test_exempt_enabled_and_reset() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @slowapi_limiter.exempt
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


def test_a_wrong_limit_is_an_error_when_the_route_is_declared() -> None:
    slowapi_limiter = build_limiter()
    with pytest.raises(ValueError, match="many/minute"):
        slowapi_limiter.limit("many/minute")


@pytest.mark.parametrize("middleware", [SlowAPIMiddleware, SlowAPIASGIMiddleware])
async def test_slowapis_middlewares_are_a_clear_error_at_the_first_request(
    middleware: type[SlowAPIMiddleware],
) -> None:
    app = build_app(build_limiter())
    app.add_middleware(middleware)

    @app.get("/")
    async def root() -> str:
        return "ok"

    with pytest.raises(RuntimeError, match="remove them"):
        await send(app, "/")


async def test_exempt_frees_one_function_and_no_namesake() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    def add(path: str, *, is_exempt: bool, above: bool = False) -> None:
        async def endpoint(request: Request) -> str:
            return path

        limit = slowapi_limiter.limit("1/minute")
        if above:
            app.get(path)(slowapi_limiter.exempt(limit(endpoint)))
        else:
            app.get(path)(limit(slowapi_limiter.exempt(endpoint) if is_exempt else endpoint))

    add("/limited", is_exempt=False)
    add("/exempt", is_exempt=True)
    add("/above", is_exempt=True, above=True)
    assert await get_statuses(app, "/limited", "/limited") == [200, 429]
    assert await get_statuses(app, "/exempt", "/exempt") == [200, 200]
    assert await get_statuses(app, "/above", "/above") == [200, 200]
    with pytest.raises(TypeError, match="not a function"):
        slowapi_limiter.exempt("limited")  # type: ignore[type-var]


async def test_functions_with_one_name_are_counted_separately() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    class First:
        @slowapi_limiter.limit("1/minute")
        async def get(self, request: Request) -> str:
            return "first"

    class Second:
        @slowapi_limiter.limit("1/minute")
        async def get(self, request: Request) -> str:
            return "second"

    def add_closure(path: str) -> None:
        @app.get(path)
        @slowapi_limiter.limit("1/minute")
        async def closure(request: Request) -> str:
            return path

    class Items:
        async def get(self, request: Request) -> str:
            return "items"

    app.get("/first")(First().get)
    app.get("/second")(Second().get)
    for path in ("/one", "/two"):
        add_closure(path)
    for path in ("/bound-one", "/bound-two"):
        app.get(path)(slowapi_limiter.limit("1/minute")(Items().get))
    paths = ("/first", "/second", "/one", "/two", "/bound-one", "/bound-two")
    assert await get_statuses(app, *paths) == [200] * 6
    assert await get_statuses(app, *paths) == [429] * 6


async def test_two_limiters_on_one_endpoint_count_separately() -> None:
    engine = MemoryLimiter(clock=ManualClock())
    outer = Limiter(get_remote_address, engine=engine)
    inner = Limiter(get_remote_address, engine=engine)
    app = build_app(outer)

    @app.get("/")
    @outer.limit("3/minute")
    @inner.limit("2/minute")
    async def root(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/", "/", "/") == [200, 200, 429]


async def test_swallow_errors_admits_when_a_callback_fails_but_not_when_it_refuses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> str:
        raise LookupError("no such user")

    def refuse() -> str:
        raise HTTPException(401)

    for is_swallowing in (True, False):
        slowapi_limiter = build_limiter(swallow_errors=is_swallowing, headers_enabled=True)
        app = build_app(slowapi_limiter)

        async def endpoint(request: Request) -> str:
            return "ok"

        app.get("/fail")(slowapi_limiter.limit("1/minute", key_func=fail)(endpoint))
        app.get("/refuse")(slowapi_limiter.limit("1/minute", key_func=refuse)(endpoint))
        assert await get_statuses(app, "/refuse") == [401]
        if is_swallowing:
            assert await get_statuses(app, "/fail", "/fail") == [200, 200]
            assert "Swallowing error" in caplog.text
        else:
            with pytest.raises(LookupError):
                await send(app, "/fail")


async def test_auto_check_false_turns_the_limits_off() -> None:
    slowapi_limiter = build_limiter(auto_check=False, headers_enabled=True)
    app = build_app(slowapi_limiter)

    @app.get("/")
    @slowapi_limiter.limit("1/minute")
    async def root(request: Request) -> str:
        return "ok"

    assert await get_statuses(app, "/", "/") == [200, 200]


async def test_reset_drops_the_counts_of_one_key_prefix() -> None:
    engine = MemoryLimiter(clock=ManualClock())
    limiters = [Limiter(get_remote_address, engine=engine, key_prefix=name) for name in "ab"]
    apps = [build_app(slowapi_limiter) for slowapi_limiter in limiters]
    for slowapi_limiter, app in zip(limiters, apps, strict=True):

        @app.get("/")
        @slowapi_limiter.limit("1/minute")
        async def root(request: Request) -> str:
            return "ok"

    for app in apps:
        assert await get_statuses(app, "/", "/") == [200, 429]
    await limiters[0].reset()
    assert [await get_statuses(app, "/") for app in apps] == [[200], [429]]
    limiters[1].reset()  # slowapi's has no result to await
    assert await get_statuses(apps[1], "/") == [200]
