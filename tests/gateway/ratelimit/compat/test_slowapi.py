"""slowapi's face: code written for slowapi runs as it is, and its known faults are gone."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import slowapi
from fastapi import APIRouter, FastAPI, Request, Response
from httpx import ASGITransport, AsyncClient
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from starlette.responses import StreamingResponse

from gateway.ratelimit.compat.slowapi import Limiter
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.memory import MemoryLimiter
from gateway.resources import Resources
from tests.gateway.ratelimit.charges import ManualClock


def application(limiter: Limiter) -> FastAPI:
    """An app set up as slowapi's documentation says."""
    app = FastAPI()
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, slowapi._rate_limit_exceeded_handler)  # type: ignore[arg-type]
    return app


def limiter(**options: Any) -> Limiter:
    """A limiter on a clock that stands still."""
    return Limiter(get_remote_address, engine=MemoryLimiter(clock=ManualClock()), **options)


async def ask(app: FastAPI, *paths: str, method: str = "GET", **headers: str) -> list[int]:
    """The statuses of one request after the other."""
    return [(await send(app, path, method, **headers)).status_code for path in paths]


async def send(app: FastAPI, path: str, method: str = "GET", **headers: str) -> Any:
    """One request."""
    async with AsyncClient(transport=ASGITransport(app), base_url="http://app") as client:
        return await client.request(method, path, headers=headers)


async def test_the_plain_case_with_slowapis_own_error_and_handler() -> None:
    slow = limiter()
    app = application(slow)

    @app.get("/items/{number}")
    @slow.limit("2/minute")
    async def item(request: Request, number: int) -> int:
        return number

    assert await ask(app, "/items/1", "/items/2") == [200, 200]
    refusal = await send(app, "/items/3")  # by endpoint: another path is no way around
    assert refusal.status_code == 429
    assert refusal.json() == {"error": "Rate limit exceeded: 2 per 1 minute"}
    assert "Retry-After" not in refusal.headers


async def test_headers_are_whole_numbers_and_retry_after_is_for_refusals() -> None:
    slow = limiter(headers_enabled=True)
    app = application(slow)

    @app.get("/")
    @slow.limit("1/minute")
    async def root(request: Request, response: Response) -> str:
        return "ok"

    admitted, refused = await send(app, "/"), await send(app, "/")
    for answer, left in ((admitted, "0"), (refused, "0")):
        assert answer.headers["X-RateLimit-Limit"] == "1"
        assert answer.headers["X-RateLimit-Remaining"] == left
        assert answer.headers["X-RateLimit-Reset"].isdigit()
    assert "Retry-After" not in admitted.headers
    assert refused.headers["Retry-After"] == "60"


async def test_retry_after_as_a_date() -> None:
    slow = limiter(headers_enabled=True, retry_after="http-date")
    app = application(slow)

    @app.get("/")
    @slow.limit("1/minute")
    async def root(request: Request) -> Response:
        return Response()

    await send(app, "/")
    assert (await send(app, "/")).headers["Retry-After"].endswith(" GMT")


async def test_several_limits_are_one_check_and_a_refusal_costs_nothing() -> None:
    clock = ManualClock()
    slow = Limiter(get_remote_address, engine=MemoryLimiter(clock=clock))
    app = application(slow)

    @app.get("/")
    @slow.limit("3/hour")
    @slow.limit("2/minute;1/second")
    async def root(request: Request) -> str:
        return "ok"

    assert await ask(app, "/", "/", "/") == [200, 429, 429]
    clock.advance(1)
    assert await ask(app, "/", "/") == [200, 429]
    clock.advance(60)
    assert await ask(app, "/") == [200]
    clock.advance(60)
    refusal = await send(app, "/")
    assert refusal.json() == {"error": "Rate limit exceeded: 3 per 1 hour"}


async def test_included_routers_mounted_apps_and_streams() -> None:
    slow = limiter(headers_enabled=True)
    app, mounted, router = application(slow), application(slow), APIRouter()

    @router.get("/stream")
    @slow.limit("2/minute")
    async def stream(request: Request) -> StreamingResponse:
        async def events() -> AsyncIterator[bytes]:
            for number in range(3):
                yield f"data: {number}\n\n".encode()

        return StreamingResponse(events(), media_type="text/event-stream")

    @mounted.get("/inner")
    @slow.limit("1/minute")
    async def inner(request: Request, response: Response) -> str:
        return "ok"

    app.include_router(router, prefix="/v1")
    app.mount("/sub", mounted)
    answer = await send(app, "/v1/stream")
    assert answer.text == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert answer.headers["X-RateLimit-Remaining"] == "1"
    assert await ask(app, "/v1/stream", "/v1/stream") == [200, 429]
    assert await ask(app, "/sub/inner", "/sub/inner") == [200, 429]


async def test_a_sync_endpoint_runs_in_the_thread_pool() -> None:
    slow = limiter()
    app = application(slow)

    @app.get("/")
    @slow.limit("1/minute")
    def root(request: Request) -> bool:
        return threading.current_thread() is threading.main_thread()

    assert (await send(app, "/")).json() is False
    assert await ask(app, "/") == [429]


async def test_the_options_of_one_limit() -> None:
    slow = limiter()
    app = application(slow)

    @slow.limit(
        "2/minute",
        key_func=lambda request: request.headers.get("caller", "nobody"),
        per_method=True,
        methods=["GET", "POST"],
        error_message="slow down",
        exempt_when=lambda request: "vip" in request.headers,
        cost=lambda request: int(request.headers.get("cost", "1")),
    )
    async def root(request: Request) -> str:
        return "ok"

    app.api_route("/", methods=["GET", "POST", "PUT"])(root)
    assert await ask(app, "/", cost="2") == [200]
    assert (await send(app, "/")).json() == {"error": "Rate limit exceeded: slow down"}
    assert await ask(app, "/", caller="somebody") == [200]
    assert await ask(app, "/", method="POST") == [200]
    assert await ask(app, "/", "/", "/", method="PUT") == [200, 200, 200]
    assert await ask(app, "/", vip="1") == [200]


async def test_a_shared_limit_is_spent_by_all_who_share_it() -> None:
    slow = limiter()
    app = application(slow)
    shared = slow.shared_limit("2/minute", scope="both")

    @app.get("/one")
    @shared
    async def one(request: Request) -> str:
        return "ok"

    @app.get("/two")
    @shared
    async def two(request: Request) -> str:
        return "ok"

    assert await ask(app, "/one", "/two", "/one") == [200, 200, 429]


async def test_a_limit_can_be_asked_for_at_each_request_and_keeps_its_count() -> None:
    slow = limiter()
    app = application(slow)
    current = ["2/minute"]

    @app.get("/")
    @slow.limit(lambda: current[0])
    async def root(request: Request) -> str:
        return "ok"

    def by_key(key: str) -> str:
        return "1/minute" if key == "free" else "9/minute"

    def plan(request: Request) -> str:
        return request.headers["plan"]

    @app.get("/plans")
    @slow.limit(by_key, key_func=plan)
    async def plans(request: Request) -> str:
        return "ok"

    assert await ask(app, "/", "/", "/") == [200, 200, 429]
    current[0] = "3/minute"  # the amount is no part of the key: two of three are spent
    assert await ask(app, "/", "/") == [200, 429]
    assert await ask(app, "/plans", "/plans", plan="free") == [200, 429]
    assert await ask(app, "/plans", "/plans", plan="paid") == [200, 200]


async def test_concurrent_requests_do_not_slip_through() -> None:
    slow = limiter()
    app = application(slow)

    @app.get("/")
    @slow.limit("5/minute")
    async def root(request: Request) -> str:
        return "ok"

    answers = await asyncio.gather(*(send(app, "/") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 15


async def test_the_engine_is_the_apps_where_none_is_given() -> None:
    slow = Limiter(get_remote_address)
    app = application(slow)
    engine = MemoryLimiter(clock=ManualClock())
    app.state.resources = Resources()
    app.state.resources[RateLimiter] = engine

    @app.get("/")
    @slow.limit("5/minute")
    async def root(request: Request) -> str:
        return "ok"

    assert await ask(app, "/") == [200]
    assert engine.health()["keys"] == 1


async def test_exempt_disabled_and_reset() -> None:
    slow = limiter()
    app = application(slow)

    @slow.exempt  # type: ignore[untyped-decorator]
    async def free(request: Request) -> str:
        return "ok"

    @slow.limit("1/minute")
    async def root(request: Request) -> str:
        return "ok"

    app.get("/free")(slow.limit("1/minute")(free))
    app.get("/")(root)
    assert await ask(app, "/free", "/free") == [200, 200]
    assert await ask(app, "/", "/") == [200, 429]
    slow.reset()
    assert await ask(app, "/") == [200]
    slow.enabled = False
    assert await ask(app, "/", "/") == [200, 200]


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
def test_an_option_that_would_do_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        limiter(**options)


def test_so_it_is_when_it_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("RATELIMIT_DEFAULT", "1/minute")
        with pytest.raises(ValueError, match="default_limits"):
            limiter()
    monkeypatch.setenv("RATELIMIT_STORAGE_URL", "redis://127.0.0.1")
    with pytest.raises(ValueError, match="storage_uri"):
        limiter()


def test_mistakes_show_when_the_route_is_written() -> None:
    slow = limiter()

    async def good(request: Request) -> None: ...

    async def without_request() -> None: ...

    async def yielding(request: Request) -> AsyncIterator[str]:
        yield "event"

    wrong: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: slow.limit("many/minute")(good), ValueError, "many/minute"),
        (lambda: slow.limit("1/minute")(without_request), TypeError, "request"),
        (lambda: slow.limit("1/minute")(yielding), TypeError, "yields"),
    ]
    for declare, error, text in wrong:
        with pytest.raises(error, match=text):
            declare()


async def test_slowapis_middlewares_are_refused_in_words(caplog: pytest.LogCaptureFixture) -> None:
    app = application(limiter())
    app.add_middleware(SlowAPIMiddleware)

    @app.get("/")
    async def root() -> str:
        return "ok"

    with pytest.raises(AttributeError):  # slowapi's handler stumbles over what was raised
        await send(app, "/")
    assert "take them out" in caplog.text
