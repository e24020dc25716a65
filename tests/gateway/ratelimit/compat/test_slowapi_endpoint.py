"""What can be decorated, and what is refused when it is."""

import functools
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Request, Response, WebSocket
from httpx import ASGITransport, AsyncClient
from slowapi.errors import RateLimitExceeded
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway.ratelimit.compat.slowapi_endpoint import MAX_NAMESAKES, EndpointNames
from tests.gateway.ratelimit.compat.slowapi_app import build_app, build_limiter, get_statuses, send


async def take_websocket(websocket: WebSocket) -> None:
    """A WebSocket endpoint."""


async def take_websocket_as_request(request: WebSocket) -> None:
    """A WebSocket endpoint under another name."""


async def take_bare_websocket(websocket) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """A WebSocket endpoint of Starlette."""


async def take_nothing() -> None:
    """An endpoint without a request."""


async def take_nothing_of_class(cls: Any) -> None:
    """A class method, before its class exists."""


async def take_text(request: str = "") -> None:
    """An endpoint whose `request` is a query parameter."""


async def yield_async(request: Request) -> AsyncIterator[str]:
    """An asynchronous generator."""
    yield "event"


def yield_sync(request: Request) -> Iterator[str]:
    """A generator."""
    yield "event"


class YieldingObject:
    """An object that yields."""

    async def __call__(self, request: Request) -> AsyncIterator[str]:
        """Yield."""
        yield "event"


@functools.wraps(yield_async)
def yield_decorated(*args: Any, **kwargs: Any) -> AsyncIterator[str]:
    """A generator behind a decorator."""
    return yield_async(*args, **kwargs)


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (take_websocket, r"take_websocket is a WebSocket endpoint.*use limited\(\.\.\.\)"),
        (take_websocket_as_request, "WebSocket"),
        (take_bare_websocket, "WebSocket"),
        (take_nothing, '^No "request" or "websocket" argument on function'),
        (take_text, "parameter `request` must be an instance of starlette.requests.Request"),
        (yield_async, "yields"),
        (yield_sync, "yields"),
        (YieldingObject(), "yields"),
        (functools.partial(yield_async), "yields"),
        (yield_decorated, "yields"),
        (classmethod(take_nothing_of_class), "not a function"),
        ("endpoint", "not a function"),
        (None, "not a function"),
        (HTTPEndpoint, '^No "request"'),
    ],
)
def test_what_cannot_be_limited_is_refused_when_it_is_decorated(endpoint: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        build_limiter(headers_enabled=True).limit("1/minute")(endpoint)


async def get_async(request: Request) -> str:
    """An `async def`."""
    return "ok"


def get_sync(request: Request) -> str:
    """A `def`."""
    return "ok"


def get_untyped(request):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """A function without annotations, as endpoints of Starlette are."""
    return PlainTextResponse("ok")


async def get_annotated(
    connection: HTTPConnection, request: Annotated[Request, "the request"]
) -> str:
    """An endpoint with `Annotated`."""
    return "ok"


async def get_more(extra: str, request: Request) -> str:
    """An endpoint with another parameter before the request."""
    return "ok"


@functools.wraps(get_async)
def get_decorated(*args: Any, **kwargs: Any) -> Any:
    """A `def` that returns an awaitable."""
    return get_async(*args, **kwargs)


class Endpoints:
    """Endpoints of a class."""

    async def get(self, request: Request) -> str:
        """A method."""
        return "ok"

    async def __call__(self, request: Request) -> str:
        """A callable object."""
        return "ok"

    @staticmethod
    def get_static(request: Request) -> str:
        """A static method."""
        return "ok"


@pytest.mark.parametrize(
    "endpoint",
    [
        get_async, get_sync, get_annotated, get_decorated, Endpoints().get, Endpoints(),
        Endpoints.get_static, functools.partial(get_async), functools.partial(get_more, "extra"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("headers", [False, True])
async def test_every_kind_of_function_is_limited(endpoint: Any, headers: bool) -> None:
    slowapi_limiter = build_limiter(headers_enabled=headers)
    app = build_app(slowapi_limiter)
    app.get("/")(slowapi_limiter.limit("1/minute")(endpoint))
    response = await send(app, "/")
    assert (response.status_code, response.json()) == (200, "ok")
    assert ("X-RateLimit-Limit" in response.headers) is headers
    assert await get_statuses(app, "/") == [429]


async def test_the_response_is_found_by_its_type_and_not_by_its_name() -> None:
    slowapi_limiter = build_limiter(headers_enabled=True)
    app = build_app(slowapi_limiter)

    @app.get("/named")
    @slowapi_limiter.limit("1/minute")
    async def get_named(request: Request, reply: Response) -> str:
        reply.headers["own"] = "header"
        return "ok"

    @app.post("/body")
    @slowapi_limiter.limit("1/minute")
    @slowapi_limiter.limit("9/hour")
    async def post_body(request: Request, response: dict[str, int], **_: str) -> dict[str, int]:
        return response

    named = await send(app, "/named")
    assert (named.headers["own"], named.headers["X-RateLimit-Remaining"]) == ("header", "0")
    async with AsyncClient(transport=ASGITransport(app), base_url="http://app") as client:
        body = await client.post("/body", params={"_": "x"}, json={"a": 1})
    assert (body.json(), body.headers["X-RateLimit-Limit"]) == ({"a": 1}, "1")


async def test_two_limiters_with_headers() -> None:
    inner, outer = build_limiter(headers_enabled=True), build_limiter(headers_enabled=True)
    app = build_app(outer)

    @app.get("/")
    @outer.limit("3/minute")
    @inner.limit("9/minute")
    async def root(request: Request) -> str:
        return "ok"

    assert (await send(app, "/")).headers["X-RateLimit-Limit"] == "3"


async def test_endpoints_of_starlette() -> None:
    slowapi_limiter = build_limiter(headers_enabled=True)

    class Home(HTTPEndpoint):
        @slowapi_limiter.limit("1/minute")
        async def get(self, request: Request) -> Response:
            return PlainTextResponse("ok")

        @slowapi_limiter.limit("1/minute")
        def post(self, request: Request) -> Response:
            return PlainTextResponse("ok")

    app = Starlette()
    app.state.limiter = slowapi_limiter
    app.router.routes.append(Route("/", Home))
    app.add_route("/function", slowapi_limiter.limit("1/minute")(get_untyped))
    for path, method in (("/", "GET"), ("/", "POST"), ("/function", "GET")):
        response = await send(app, path, method)
        assert (response.status_code, response.headers["X-RateLimit-Remaining"]) == (200, "0")
        assert await get_statuses(app, path, method=method) == [429]


async def test_a_decorated_dependency_limits_the_routes_of_a_router() -> None:
    slowapi_limiter = build_limiter(headers_enabled=True)
    app = build_app(slowapi_limiter)

    @slowapi_limiter.limit("2/minute")
    async def limit(request: Request) -> None: ...

    router = APIRouter(dependencies=[Depends(limit)])

    @router.get("/one")
    async def one() -> str:
        return "ok"

    @router.get("/two")
    async def two() -> str:
        return "ok"

    app.include_router(router)
    assert (await send(app, "/one")).headers["X-RateLimit-Remaining"] == "1"
    assert await get_statuses(app, "/two", "/one") == [200, 429]


async def test_a_call_without_a_request_is_an_error_unless_the_limiter_is_off() -> None:
    slowapi_limiter = build_limiter()
    limited = slowapi_limiter.limit("1/minute")(get_async)
    with pytest.raises(TypeError, match="parameter `request` must be an instance"):
        await limited("no request")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="parameter `request` must be an instance"):
        await limited()  # type: ignore[call-arg]
    slowapi_limiter.enabled = False
    assert await limited("no request") == "ok"  # type: ignore[arg-type]


def test_a_function_that_is_decorated_for_each_request_is_an_error() -> None:
    def make() -> Any:
        async def closure(request: Request) -> None: ...

        return closure

    names = EndpointNames()
    for _ in range(MAX_NAMESAKES):
        names.assign(make())
        names.assign(get_async)
    with pytest.raises(RuntimeError, match="not for each request"):
        names.assign(make())


async def test_a_function_that_is_decorated_again_keeps_its_count_and_leaks_nothing() -> None:
    slowapi_limiter = build_limiter()
    app = build_app(slowapi_limiter)

    @app.get("/")
    async def root(request: Request) -> str:
        limited = slowapi_limiter.limit("2/minute")(get_async)
        return await limited(request)

    assert await get_statuses(app, "/", "/", "/") == [200, 200, 429]
    gc.collect()
    assert not slowapi_limiter._limits


async def test_an_endpoint_can_be_called_without_an_app() -> None:
    limited = build_limiter(headers_enabled=True).limit("1/minute")(get_async)
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
    assert await limited(request) == "ok"
    with pytest.raises(RateLimitExceeded, match="1 per 1 minute"):
        await limited(request)


def test_the_name_of_an_endpoint_is_the_same_in_every_process() -> None:
    def make() -> Any:
        async def closure(request: Request) -> None: ...

        return closure

    for _ in range(2):  # as two processes, or a process before and after a restart
        names = EndpointNames()
        endpoints = (get_async, make(), make(), functools.partial(get_async), Endpoints())
        assert [names.assign(endpoint).removeprefix(__name__) for endpoint in endpoints] == [
            ".get_async",
            ".test_the_name_of_an_endpoint_is_the_same_in_every_process.<locals>.make.<locals>.closure",
            ".test_the_name_of_an_endpoint_is_the_same_in_every_process.<locals>.make.<locals>.closure~2",
            ".get_async~2",
            ".Endpoints",
        ]
