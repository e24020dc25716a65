"""Failures outside the routes: in middleware, in tasks, and of apps that send no response."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.auth import public
from gateway.errors.last_resort import is_end_of_task
from gateway.errors.tree import Forbidden
from gateway.middleware.request_context import RequestContextMiddleware
from gateway.request_context import DISCARD_RESPONSE, RequestContext
from gateway.upstream import UpstreamTimeout
from tests.gateway.errors.served import REQUEST_ID, Reply, Served, build_request, serve
from tests.gateway.server.in_memory import body, start

OURS = "urn:lockgate:problem:"
PUBLIC = public("a test")
GET = build_request("/")
ALIVE = build_request("/healthz")
CONTEXT = RequestContext()

Middleware = Callable[[ASGIApp, Scope, Receive, Send], Any]


def before(error: BaseException) -> Middleware:
    async def middleware(_app: ASGIApp, _scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    return middleware


def after(error: BaseException) -> Middleware:
    async def middleware(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        raise error

    return middleware


def between(error: BaseException) -> Middleware:
    """Fail after the head of the response and `half` of its body."""

    async def middleware(_app: ASGIApp, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start(200))
        await send(body(b"half", more=True))
        raise error

    return middleware


async def send_nothing(_app: ASGIApp, _scope: Scope, _receive: Receive, _send: Send) -> None:
    """Return without a response."""


async def send_half(_app: ASGIApp, _scope: Scope, _receive: Receive, send: Send) -> None:
    await send(start(200))
    await send(body(b"half", more=True))


async def send_no_head(_app: ASGIApp, _scope: Scope, _receive: Receive, send: Send) -> None:
    await send(body(b"ok"))


async def send_twice(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)
    await send(start(200))


async def gather_invalid_header(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    RequestContext.of(scope).response_headers.append((b"x-a", b"1\r\nx-b: 2"))
    await app(scope, receive, send)


class Wrapped:
    """A middleware of the application, for the path `/` alone."""

    def __init__(self, app: ASGIApp, middleware: Middleware) -> None:
        self.app = app
        self.middleware = middleware

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/":
            await self.middleware(self.app, scope, receive, send)
        else:
            await self.app(scope, receive, send)


async def fail(middleware: Middleware, *, is_broken: bool = False) -> tuple[Reply, Served]:
    router = APIRouter(dependencies=[public("a test")])

    @router.get("/")
    async def get_number() -> int:
        return 1

    def prepare(app: FastAPI) -> None:
        app.add_middleware(Wrapped, middleware=middleware)

    async with serve(router, prepare=prepare) as served:
        if is_broken:
            (reply,), (alive,) = await served.send(GET), await served.send(ALIVE)
        else:
            reply, alive = await served.send(GET, ALIVE)
        await served.settle(requests=2)
    assert alive.status == 200
    assert reply.header("x-request-id") == [REQUEST_ID]
    return reply, served


@pytest.mark.parametrize(
    ("error", "status", "kind", "failures"),
    [
        (KeyError("hunter2"), 500, OURS + "internal-error", 1),
        (SystemExit(1), 500, OURS + "internal-error", 1),
        (asyncio.CancelledError(), 500, OURS + "internal-error", 1),
        (ExceptionGroup("", [KeyError(1)]), 500, OURS + "internal-error", 1),
        (HTTPException(400, headers={"X-A": 1}), 500, OURS + "internal-error", 1),  # type: ignore[dict-item]
        (HTTPException(400, headers={"X-A": "1\r\nX-B: 2"}), 500, OURS + "internal-error", 1),
        (HTTPException(404, "gone"), 404, "about:blank", 0),
        (Forbidden(scopes=["a"]), 403, OURS + "forbidden", 0),
        (UpstreamTimeout("items", "GET /"), 504, OURS + "upstream-timeout", 0),
        (ExceptionGroup("", [Forbidden()]), 403, OURS + "forbidden", 0),
    ],
    ids=repr,
)
async def test_middleware_that_raises_before_the_response(
    error: BaseException, status: int, kind: str, failures: int
) -> None:
    reply, served = await fail(before(error))
    assert reply.status == status
    assert reply.document["type"] == kind
    assert reply.document["instance"] == REQUEST_ID
    assert [it.msg for it in served.log.failures] == ["request.failed"] * failures
    assert served.log.completed[0]["status"] == status


@pytest.mark.parametrize(
    "error", [KeyError("hunter2"), Forbidden(), SystemExit(1), asyncio.CancelledError()], ids=repr
)
async def test_middleware_that_raises_after_the_response(error: BaseException) -> None:
    reply, served = await fail(after(error))
    assert (reply.status, reply.body) == (200, b"1")
    assert [it.msg for it in served.log.failures] == ["request.failed"]


@pytest.mark.parametrize("error", [KeyError("hunter2"), Forbidden(), SystemExit(1)], ids=repr)
async def test_middleware_that_raises_within_the_response(error: BaseException) -> None:
    reply, served = await fail(between(error), is_broken=True)
    assert (reply.status, reply.body, reply.is_complete) == (200, b"half", False)
    assert [it.msg for it in served.log.failures] == ["request.failed"]


@pytest.mark.parametrize("middleware", [send_no_head, gather_invalid_header])
async def test_messages_that_the_server_refuses(middleware: Middleware) -> None:
    reply, served = await fail(middleware)
    assert reply.status == 500
    assert reply.document["instance"] == REQUEST_ID
    assert [it.msg for it in served.log.failures] == ["request.failed"]
    assert served.log.completed[0]["status"] == 500


async def test_a_second_response_is_not_sent() -> None:
    reply, served = await fail(send_twice)
    assert (reply.status, reply.body) == (200, b"1")
    assert [it.msg for it in served.log.failures] == ["request.failed"]


async def test_an_app_that_sends_no_response() -> None:
    reply, served = await fail(send_nothing, is_broken=True)
    assert reply.status == 500
    assert reply.document["instance"] == REQUEST_ID
    assert [it.msg for it in served.log.failures] == ["app.failed"]
    assert served.log.failures[0].exc_info


async def test_an_app_that_sends_half_a_response() -> None:
    reply, served = await fail(send_half, is_broken=True)
    assert (reply.status, reply.is_complete) == (200, False)
    assert [it.msg for it in served.log.failures] == ["app.failed"]


@pytest.mark.parametrize("kind", [Exception, 500])
@pytest.mark.parametrize("path", ["/compiled", "/general"])
async def test_a_handler_of_the_application_for_every_exception(
    kind: type[Exception] | int, path: str
) -> None:
    async def explain(_request: Request, _error: Exception) -> Response:
        return PlainTextResponse("ours", 500)

    def block() -> None:
        """Run in a thread, so that the route is not compiled."""

    async def raise_error() -> int:
        raise KeyError("hunter2")

    def prepare(app: FastAPI) -> None:
        app.add_exception_handler(kind, explain)
        app.add_api_route("/compiled", raise_error, dependencies=[PUBLIC])
        app.add_api_route("/general", raise_error, dependencies=[PUBLIC, Depends(block)])

    async with serve(prepare=prepare) as served:
        reply, alive = await served.send(build_request(path), ALIVE)
        await served.settle(requests=2)
    assert (reply.status, reply.body, alive.status) == (500, b"ours", 200)
    assert [it.msg for it in served.log.failures] == ["request.failed"]


async def test_a_mounted_app_does_not_send_an_error_of_its_own() -> None:
    """A mount declares no access: it prevents the start, and one added later is not reached."""
    reached = []

    def prepare(app: FastAPI) -> None:
        mounted = FastAPI()
        app.mount("/mounted", mounted)

        @mounted.get("/")
        async def fail() -> None:
            reached.append("mounted")
            raise KeyError("hunter2")

    async with serve(prepare=prepare) as served:
        reply, alive = await served.send(build_request("/mounted/"), ALIVE)
        await served.settle(requests=2)
    assert (reply.status, alive.status, reached) == (500, 200, [])
    assert reply.header("content-type") == ["application/problem+json"]
    assert reply.document["type"] == OURS + "internal-error"
    assert reply.header("x-request-id") == [REQUEST_ID]
    assert [it.msg for it in served.log.failures] == ["request.failed"]


class GoneClient:
    """A server whose `send` fails after `sent` messages, because the client has gone."""

    def __init__(self, sent: int, *extensions: str) -> None:
        self.scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [],
            "extensions": {name: {} for name in extensions},
        }
        self._left = sent

    async def receive(self) -> Message:
        return {"type": "http.disconnect"}

    async def send(self, _message: Message) -> None:
        self._left -= 1
        if self._left < 0:
            raise OSError("the client has disconnected")

    async def run(self, middleware: Middleware) -> BaseException | None:
        """Serve one request, and return the exception that reaches the server."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await middleware(app, scope, receive, send)

        try:
            await RequestContextMiddleware(app)(self.scope, self.receive, self.send)
        except Exception as error:  # noqa: BLE001 - the result of the test
            return error
        return None


@pytest.mark.parametrize("sent", [0, 1])
@pytest.mark.parametrize("extensions", [[], [DISCARD_RESPONSE]])
async def test_a_response_to_a_client_that_has_gone(
    sent: int, extensions: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(await GoneClient(sent, *extensions).run(send_half), OSError)
    assert caplog.records == []


async def test_a_problem_for_a_client_that_has_gone(caplog: pytest.LogCaptureFixture) -> None:
    assert await GoneClient(0).run(before(Forbidden())) is None
    assert caplog.records == []


@pytest.mark.parametrize("sent", [0, 1])
async def test_a_failure_after_the_client_has_gone(
    sent: int, caplog: pytest.LogCaptureFixture
) -> None:
    failure = KeyError("hunter2")

    async def send_and_fail(_app: ASGIApp, _scope: Scope, _receive: Receive, send: Send) -> None:
        for _ in range(sent):
            await send(start(200))
        raise failure

    assert await GoneClient(sent, DISCARD_RESPONSE).run(send_and_fail) is (
        failure if sent else None
    )
    assert [it.msg for it in caplog.records] == ["request.failed"]


async def test_an_error_of_the_operating_system_in_the_app(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await GoneClient(2).run(before(FileNotFoundError("a file"))) is None
    assert [it.msg for it in caplog.records] == ["request.failed"]


async def test_a_request_for_cancellation_ends_the_task() -> None:
    async def wait() -> bool:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError as error:
            return is_end_of_task(error, CONTEXT)
        return False

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    assert await task
    assert not is_end_of_task(asyncio.CancelledError(), CONTEXT)
    assert is_end_of_task(ClientDisconnect(), CONTEXT)
    assert not is_end_of_task(SystemExit(), CONTEXT)
