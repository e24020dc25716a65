"""CORS through all layers, on a real socket: what a page of another origin may do and read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import pytest
from fastapi import APIRouter, FastAPI, Header, HTTPException, Request
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import public, requires
from gateway.errors.tree import QuotaExceeded
from gateway.middleware.cors import MAX_LOGGED_ORIGIN
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Server, Service, Settings
from tests.gateway.errors.served import Reply, Served, build_request, serve

APP, OTHER = "https://app.example.com", "https://evil.example.com"
EXPOSED = {
    *("ratelimit", "ratelimit-policy", "retry-after", "server-timing", "x-request-id"),
    *("www-authenticate", "etag", "location", "lockgate-limits"),
}
DROPPED = "/dropped"


async def get_page(x_tenant_hint: Annotated[str, Header()] = "") -> dict[str, str]:
    return {"hint": x_tenant_hint}


async def post_page(request: Request) -> dict[str, int]:
    return {"length": len(await request.body())}


async def put_page(name: int) -> int:
    return name


async def refuse(status: int) -> None:
    raise HTTPException(status)


async def exceed() -> None:
    raise QuotaExceeded(["pages"], 7)


async def fail() -> None:
    raise RuntimeError("unexpected")


async def fail_later() -> StreamingResponse:
    async def stream() -> AsyncIterator[bytes]:
        raise RuntimeError("unexpected")
        yield b""

    return StreamingResponse(stream())


async def set_own_fields(response: Response) -> dict[str, str]:
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Credentials"] = "true"
    response.headers["Timing-Allow-Origin"] = "*"
    response.headers["Vary"] = "Accept-Language, Origin"
    return {}


def build_routes(entered: asyncio.Event) -> APIRouter:
    async def hang() -> None:
        entered.set()
        await asyncio.Event().wait()

    router = APIRouter()
    router.add_api_route("/private", get_page, dependencies=[requires("pages:read")])
    routes: list[tuple[str, str, Callable[..., Awaitable[object]]]] = [
        ("GET", "/page", get_page),
        ("POST", "/page", post_page),
        ("PUT", "/page/{name}", put_page),
        ("GET", "/refused/{status}", refuse),
        ("GET", "/quota", exceed),
        ("GET", "/broken", fail),
        ("GET", "/broken-stream", fail_later),
        ("GET", "/own-fields", set_own_fields),
        ("GET", "/hang", hang),
    ]
    for method, path, endpoint in routes:
        router.add_api_route(path, endpoint, methods=[method], dependencies=[public("a test")])
    return router


class Silent:
    """A middleware of a company that sends no response at all to one path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != DROPPED:
            await self.app(scope, receive, send)


def build_settings(*origins: str, **settings: object) -> Settings:
    service = Service.model_validate({"url": "http://x", "forward_headers": ["accept-language"]})
    server = Server.model_validate({"cors_origins": origins or [APP], "max_body_bytes": 100})
    return Settings(server=server.model_copy(update=settings), upstreams={"items": service})


class Pages:
    """The gateway with these routes, as the page of an origin meets it."""

    def __init__(self, served: Served) -> None:
        self.served = served

    async def send(
        self,
        target: str,
        method: str = "GET",
        *,
        origin: str | None = APP,
        body: bytes | None = None,
        **headers: str,
    ) -> Reply:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if origin is not None:
            fields["Origin"] = origin
        (reply,) = await self.served.send(build_request(target, method, body=body, headers=fields))
        return reply

    async def preflight(
        self, target: str, method: str = "GET", *, origin: str = APP, **headers: str
    ) -> Reply:
        headers["Access_Control_Request_Method"] = method
        return await self.send(target, "OPTIONS", origin=origin, body=None, **headers)


@pytest.fixture
async def entered() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def pages(entered: asyncio.Event) -> AsyncIterator[Pages]:
    def prepare(app: FastAPI) -> None:
        app.middleware_stack = None
        app.add_middleware(Silent)

    settings = build_settings(max_in_flight=1)
    async with serve(build_routes(entered), prepare=prepare, settings=settings) as served:
        yield Pages(served)


def require_readable(reply: Reply, origin: str = APP) -> None:
    """The page can read the response, its header fields and its timings."""
    assert reply.header("access-control-allow-origin") == [origin]
    assert reply.header("timing-allow-origin") == [origin]
    assert reply.header("access-control-allow-credentials") == []
    (exposed,) = reply.header("access-control-expose-headers")
    assert set(exposed.split(", ")) >= EXPOSED
    (vary,) = reply.header("vary")
    assert "origin" in vary.lower().split(", ")


def require_unreadable(reply: Reply) -> None:
    names = {name for name, _ in reply.headers}
    assert not [name for name in names if name.startswith(("access-control-", "timing-"))]


async def test_every_response_of_every_layer_can_be_read(pages: Pages) -> None:
    for target, method, body, status in [
        ("/page", "GET", None, 200),
        ("/page", "HEAD", None, 200),
        ("/page", "OPTIONS", None, 204),
        ("/private", "GET", None, 401),
        ("/refused/403", "GET", None, 403),
        ("/nowhere", "GET", None, 404),
        ("/page%0a", "GET", None, 400),
        ("/page", "DELETE", None, 405),
        ("/page", "POST", b"x" * 101, 413),
        ("/page/a", "PUT", None, 422),
        ("/quota", "GET", None, 429),
        ("/broken", "GET", None, 500),
        ("/broken-stream", "GET", None, 500),
        ("/refused/503", "GET", None, 503),
        ("/docs", "GET", None, 200),
        ("/openapi.json", "GET", None, 200),
        ("/healthz", "GET", None, 200),
    ]:
        reply = await pages.send(target, method, body=body)
        assert reply.status == status, target
        require_readable(reply)


async def test_the_500_of_the_server_itself_can_be_read(pages: Pages) -> None:
    reply = await pages.send(DROPPED)
    assert reply.status == 500
    require_readable(reply)


async def test_an_overloaded_gateway_can_be_read_and_still_responds_to_preflights(
    pages: Pages, entered: asyncio.Event
) -> None:
    hanging = asyncio.create_task(pages.send("/hang"))
    try:
        async with asyncio.timeout(10):
            await entered.wait()
        reply = await pages.send("/page")
        assert (reply.status, reply.header("retry-after")) == (503, ["1"])
        require_readable(reply)
        assert (await pages.preflight("/page")).status == 204
    finally:
        hanging.cancel()


async def test_the_response_to_another_origin_has_no_fields(pages: Pages) -> None:
    for origin in [
        *(OTHER, "null", "*", "https://app.example.com.evil.com", "http://app.example.com"),
        *("https://app.example.com:8443", "app.example.com", "https://app.example.com/", "\xff"),
    ]:
        for target in ["/page", "/nowhere", "/own-fields", "/broken"]:
            reply = await pages.send(target, origin=origin)
            require_unreadable(reply)
            assert "origin" in reply.header("vary")[0].lower()


async def test_two_origins_are_none(pages: Pages) -> None:
    request = build_request("/page", headers={"Origin": APP, "origin": APP})
    (reply,) = await pages.served.send(request)
    require_unreadable(reply)


async def test_a_cache_keeps_the_responses_to_origins_apart(pages: Pages) -> None:
    """A response to a request without `Origin` must not be served to a page from a cache."""
    assert (await pages.send("/page", origin=None)).header("vary") == ["origin"]


async def test_fields_of_a_route_are_replaced_and_vary_is_merged(pages: Pages) -> None:
    reply = await pages.send("/own-fields")
    require_readable(reply)
    assert reply.header("vary") == ["Accept-Language, Origin"]


async def test_a_preflight_is_answered_without_a_token(pages: Pages) -> None:
    reply = await pages.preflight("/private", Access_Control_Request_Headers="authorization")
    assert (reply.status, reply.body) == (204, b"")
    assert reply.header("access-control-allow-origin") == [APP]
    assert reply.header("access-control-allow-methods") == ["GET, HEAD, OPTIONS"]
    assert reply.header("access-control-max-age") == ["7200"]
    (allowed,) = reply.header("access-control-allow-headers")
    assert set(allowed.split(", ")) >= {
        *("authorization", "content-type", "x-request-id", "traceparent", "if-none-match"),
        *("x-tenant-hint", "accept-language"),  # of a route, and of forward_headers
    }
    assert len(reply.header("x-request-id")) == 1


@pytest.mark.parametrize(
    ("target", "methods"),
    [
        ("/page", "GET, HEAD, OPTIONS, POST"),
        ("/page/7", "OPTIONS, PUT"),
        ("/page/a%2Fb", "OPTIONS, PUT"),
        ("/page%2F7", "DELETE, GET, HEAD, PATCH, POST, PUT"),
        ("/nowhere", "DELETE, GET, HEAD, PATCH, POST, PUT"),  # the page reads the 404 then
        ("/page%0a", "DELETE, GET, HEAD, PATCH, POST, PUT"),  # or the 400
        ("/x/%2e%2e/page", "DELETE, GET, HEAD, PATCH, POST, PUT"),
    ],
)
async def test_a_preflight_names_the_methods_of_the_path(
    pages: Pages, target: str, methods: str
) -> None:
    reply = await pages.preflight(target, "PUT")
    assert reply.status == 204
    assert reply.header("access-control-allow-methods") == [methods]


async def test_a_preflight_of_another_origin_is_logged(pages: Pages) -> None:
    reply = await pages.preflight("/page", origin=OTHER)
    assert (reply.status, reply.header("allow")) == (204, ["GET, HEAD, OPTIONS, POST"])
    require_unreadable(reply)
    await pages.preflight("/page", origin="https://" + "x" * 5_000)
    await pages.preflight("/page", origin="https://\x9b31m")
    await pages.served.settle(3)
    first, second, third = pages.served.log.completed
    assert first["refused_origin"] == OTHER
    assert len(second["refused_origin"]) == MAX_LOGGED_ORIGIN
    assert third["refused_origin"] == "https://\\x9b31m"


async def test_a_very_long_list_of_headers_is_not_repeated(pages: Pages) -> None:
    reply = await pages.preflight("/page", Access_Control_Request_Headers="x" * 30_000)
    assert reply.status == 204
    assert sum(len(value) for _, value in reply.headers) < 2_000


async def test_a_private_network_is_allowed_if_asked_for(pages: Pages) -> None:
    name = "access-control-allow-private-network"
    asked = await pages.preflight("/page", Access_Control_Request_Private_Network="true")
    assert asked.header(name) == ["true"]
    assert (await pages.preflight("/page")).header(name) == []


async def test_a_route_for_options_serves_what_is_no_preflight() -> None:
    router = APIRouter(dependencies=[public("a test")])

    @router.options("/page")
    async def describe() -> str:
        return "own"

    async with serve(router, settings=build_settings()) as served:
        pages = Pages(served)
        own = await pages.send("/page", "OPTIONS")
        other = await pages.preflight("/page", origin=OTHER)
        assert [own.document, other.document] == ["own", "own"]
        assert (await pages.preflight("/page")).status == 204


async def test_all_origins_get_the_same_response() -> None:
    async with serve(build_routes(asyncio.Event()), settings=build_settings("*")) as served:
        pages = Pages(served)
        for origin in [APP, "null", None]:
            for target in ["/page", "/own-fields", "/broken"]:
                reply = await pages.send(target, origin=origin)
                assert reply.header("access-control-allow-origin") == ["*"]
                assert reply.header("timing-allow-origin") == ["*"]
        assert (await pages.send("/page")).header("vary") == []
        preflight = await pages.preflight("/page", Access_Control_Request_Private_Network="true")
        assert preflight.header("access-control-allow-origin") == ["*"]
        assert preflight.header("access-control-allow-private-network") == []


async def test_credentials_and_further_headers_are_allowed_by_settings() -> None:
    settings = build_settings(
        APP,
        cors_credentials=True,
        cors_request_headers=("Sentry-Trace",),
        cors_response_headers=("X-Total-Count",),
        cors_max_age_seconds=0,
    )
    async with serve(build_routes(asyncio.Event()), settings=settings) as served:
        reply = await Pages(served).send("/page")
        preflight = await Pages(served).preflight("/page")
    assert reply.header("access-control-allow-credentials") == ["true"]
    assert "x-total-count" in reply.header("access-control-expose-headers")[0]
    assert preflight.header("access-control-allow-credentials") == ["true"]
    assert "sentry-trace" in preflight.header("access-control-allow-headers")[0]
    assert preflight.header("access-control-max-age") == ["0"]


async def test_without_the_setting_no_response_has_a_field() -> None:
    async with serve(build_routes(asyncio.Event())) as served:
        reply = await Pages(served).send("/page")
        preflight = await Pages(served).preflight("/page")
    require_unreadable(reply)
    require_unreadable(preflight)
    assert reply.header("vary") == []
    assert (preflight.status, preflight.header("allow")) == (204, ["GET, HEAD, OPTIONS, POST"])


def test_a_cors_middleware_of_the_company_is_refused_beside_the_setting() -> None:
    application = Application(middleware=[Middleware(CORSMiddleware, allow_origins=["*"])])
    with pytest.raises(InvalidSettings, match=r"server\.cors_origins: is set, and the middleware"):
        create_app(build_settings(), application=application)
    create_app(Settings(), application=application)
