"""WebSocket connections pass the same middleware, guards, limits and errors as requests."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter, Depends, WebSocket
from starlette.types import Message

from gateway.auth import owner, public, requires
from gateway.errors.tree import Overloaded
from gateway.ratelimit.limited_dependency import limited
from gateway.ratelimit.policy import RateLimit
from gateway.request_context import RequestContext
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings
from gateway.testing import TestGateway, lockgate
from gateway.upstream.errors import UpstreamTimeout
from gateway.upstream.propagation import current_headers
from tests.gateway.middleware.asgi_websocket import DENIAL, WebSocketClient, websocket_scope

ONCE = RateLimit("sockets_once", "1/minute", per="address")
router = APIRouter()
EVERYBODY = [public("a test")]


@router.websocket("/echo", dependencies=EVERYBODY)
async def echo(websocket: WebSocket) -> None:
    RequestContext.of(websocket.scope).server_timing.append(("hello", 0.001))
    await websocket.accept()
    await websocket.send_text(current_headers().fields["x-request-id"])
    while True:
        await websocket.send_text(await websocket.receive_text())


@router.websocket("/mine/{user_id}", dependencies=[requires("chat"), owner("user_id")])
async def open_own(websocket: WebSocket, user_id: str) -> None:
    await websocket.accept()
    await websocket.close(4000)


@router.websocket("/once", dependencies=[*EVERYBODY, limited(ONCE)])
async def open_once(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


@router.websocket("/number/{number}", dependencies=EVERYBODY)
async def open_number(websocket: WebSocket, number: int) -> None:
    await websocket.accept()


async def fail_upstream() -> None:
    raise UpstreamTimeout("orders", "GET /")


@router.websocket("/upstream", dependencies=[*EVERYBODY, Depends(fail_upstream)])
async def call_upstream(websocket: WebSocket) -> None:
    await websocket.accept()


@router.websocket("/broken", dependencies=EVERYBODY)
async def fail(websocket: WebSocket) -> None:
    raise RuntimeError("the password is hunter2")


@router.websocket("/broken-later", dependencies=EVERYBODY)
async def fail_after_accept(websocket: WebSocket) -> None:
    await websocket.accept()
    raise RuntimeError("the password is hunter2")


@router.websocket("/overloaded-later", dependencies=EVERYBODY)
async def refuse_after_accept(websocket: WebSocket) -> None:
    await websocket.accept()
    raise Overloaded(1)


@router.websocket("/broken-after-close", dependencies=EVERYBODY)
async def fail_after_close(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(4001)
    raise RuntimeError("too late")


@pytest.fixture
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[TestGateway]:
    settings: Settings = load_settings()
    limits = getattr(request, "param", {})
    server = settings.server.model_copy(update=limits)
    async with lockgate(settings.model_copy(update={"server": server})) as gateway:
        gateway.app.include_router(router)
        yield gateway


async def connect(
    gateway: TestGateway,
    path: str,
    *headers: tuple[bytes, bytes],
    extensions: dict[str, dict[str, Any]] | None = None,
    client: WebSocketClient | None = None,
) -> list[Message]:
    client = client or WebSocketClient()
    await client.run(gateway.app, websocket_scope(path, *headers, extensions=extensions))
    return client.sent


def bearer(gateway: TestGateway, user: str, *scopes: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {gateway.token(user, scopes)}".encode()


def get_close_code(sent: list[Message]) -> int:
    """Return the code of a connection that was closed before it was accepted."""
    (message,) = sent
    assert message["type"] == "websocket.close"
    code: int = message["code"]
    return code


def parse_denial(sent: list[Message]) -> tuple[int, dict[bytes, bytes], dict[str, Any]]:
    start, body = sent
    assert start["type"] == "websocket.http.response.start"
    assert body["type"] == "websocket.http.response.body"
    problem: dict[str, Any] = json.loads(body["body"])
    return start["status"], dict(start["headers"]), problem


def get_log_fields(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = [record for record in caplog.records if record.msg == "websocket.closed"]
    fields: dict[str, Any] = vars(record)["fields"]
    return fields


async def test_an_accepted_connection_has_an_id_and_the_gathered_headers(
    gateway: TestGateway,
) -> None:
    accept, greeting, echo = await connect(gateway, "/echo", client=WebSocketClient("hi"))
    headers = dict(accept["headers"])
    assert accept["type"] == "websocket.accept"
    assert len(headers[b"x-request-id"]) == 32
    assert headers[b"server-timing"] == b"hello;dur=1.0"
    assert greeting["text"] == headers[b"x-request-id"].decode()
    assert echo["text"] == "hi"


async def test_a_connection_leaves_one_log_line(
    gateway: TestGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    given = (b"x-request-id", b"trace-1234")
    await connect(gateway, "/echo", given, client=WebSocketClient("h\u00e4", code=1001))
    fields = get_log_fields(caplog)
    assert fields.pop("ms") >= 0
    assert len(fields.pop("trace_id")) == 32
    assert fields == {
        "id": "trace-1234",
        "method": "WEBSOCKET",
        "path": "/echo",
        "route": "/echo",
        "client": "192.0.2.7",
        "server_timing": "hello;dur=1.0",
        "status": 101,
        "bytes": len("trace-1234") + 3,
        "code": 1001,
    }
    assert [record.msg for record in caplog.records] == ["websocket.closed"]


async def test_guards_work_on_a_websocket_route(
    gateway: TestGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    accept, close = await connect(gateway, "/mine/42", bearer(gateway, "42", "chat"))
    assert (accept["type"], close["code"]) == ("websocket.accept", 4000)
    assert (get_log_fields(caplog)["code"], get_log_fields(caplog)["caller"]) == (4000, "42")
    refusals = [(), (bearer(gateway, "42", "other"),), (bearer(gateway, "7", "chat"),)]
    assert [
        get_close_code(await connect(gateway, "/mine/42", *headers)) for headers in refusals
    ] == [
        1008,
        1008,
        1008,
    ]
    responses = [
        parse_denial(await connect(gateway, "/mine/42", *headers, extensions=DENIAL))
        for headers in refusals
    ]
    assert [status for status, _, _ in responses] == [401, 403, 403]
    assert b"www-authenticate" in responses[0][1]
    assert responses[1][2]["required-scopes"] == ["chat"]


async def test_a_denial_is_the_problem_of_a_request_with_its_id(
    gateway: TestGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    status, headers, problem = parse_denial(await connect(gateway, "/mine/42", extensions=DENIAL))
    assert headers[b"content-type"] == b"application/problem+json"
    assert problem["instance"].encode() == headers[b"x-request-id"]
    assert problem["type"] == "urn:lockgate:problem:unauthenticated"
    fields = get_log_fields(caplog)
    assert (fields["status"], fields["error"]) == (status, "Unauthenticated")
    assert fields["bytes"] == int(headers[b"content-length"])
    assert "code" not in fields


async def test_a_limit_works_on_a_websocket_route(gateway: TestGateway) -> None:
    accept, _ = await connect(gateway, "/once")
    assert b"ratelimit" in dict(accept["headers"])
    assert get_close_code(await connect(gateway, "/once")) == 1008
    status, headers, problem = parse_denial(await connect(gateway, "/once", extensions=DENIAL))
    assert status == 429
    assert headers.keys() >= {b"retry-after", b"ratelimit"}
    assert problem["violated-policies"] == ["sockets_once"]


async def test_other_errors_before_the_handshake_are_denials_too(gateway: TestGateway) -> None:
    status, _, problem = parse_denial(await connect(gateway, "/number/x", extensions=DENIAL))
    assert (status, problem["errors"][0]["field"]) == (422, "number")
    assert get_close_code(await connect(gateway, "/number/x")) == 1008
    status, _, problem = parse_denial(await connect(gateway, "/upstream", extensions=DENIAL))
    assert (status, problem["service"]) == (504, "orders")
    assert get_close_code(await connect(gateway, "/upstream")) == 1011


async def test_an_unknown_path_is_closed_and_logged(
    gateway: TestGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    assert get_close_code(await connect(gateway, "/nowhere")) == 1000
    assert get_log_fields(caplog)["status"] == 403


@pytest.mark.parametrize("gateway", [{"max_in_flight": 1}], indirect=True)
async def test_connections_are_in_flight_until_they_end(
    gateway: TestGateway, caplog: pytest.LogCaptureFixture
) -> None:
    staying = WebSocketClient(code=None)
    task = asyncio.create_task(connect(gateway, "/echo", client=staying))
    await asyncio.wait_for(staying.accepted.wait(), 60)
    caplog.set_level(logging.INFO, "lockgate.access")
    assert get_close_code(await connect(gateway, "/echo")) == 1013
    assert (get_log_fields(caplog)["status"], get_log_fields(caplog)["code"]) == (403, 1013)
    status, headers, problem = parse_denial(await connect(gateway, "/echo", extensions=DENIAL))
    assert (status, headers[b"retry-after"], problem["title"]) == (503, b"1", "Overloaded")
    assert (await gateway.get("/dashboard/42")).status_code == 503
    assert (await gateway.get("/healthz")).status_code == 200
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(await connect(gateway, "/echo")) == 2


async def test_an_unexpected_exception_closes_and_leaks_nothing(
    gateway: TestGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    assert get_close_code(await connect(gateway, "/broken")) == 1011
    assert get_log_fields(caplog)["code"] == 1011
    status, headers, problem = parse_denial(await connect(gateway, "/broken", extensions=DENIAL))
    assert (status, problem["title"]) == (500, "Internal error")
    assert problem["instance"].encode() == headers[b"x-request-id"]
    accept, close = await connect(gateway, "/broken-later", extensions=DENIAL)
    assert (accept["type"], close["code"]) == ("websocket.accept", 1011)
    assert "hunter2" not in str([problem, close])
    assert [r.msg for r in caplog.records].count("request.failed") == 3


async def test_a_known_error_after_the_handshake_closes_with_its_code(
    gateway: TestGateway,
) -> None:
    _, close = await connect(gateway, "/overloaded-later", extensions=DENIAL)
    assert (close["type"], close["code"]) == ("websocket.close", 1013)


async def test_sending_to_a_client_that_has_disconnected_is_no_failure(
    gateway: TestGateway, caplog: pytest.LogCaptureFixture
) -> None:
    class Disconnected(WebSocketClient):
        async def _send(self, message: Message) -> None:
            if message["type"] == "websocket.send":
                raise OSError("the client has disconnected")
            await super()._send(message)

    caplog.set_level(logging.INFO, "lockgate.access")
    (accept,) = await connect(gateway, "/echo", client=Disconnected(code=None))
    assert accept["type"] == "websocket.accept"
    assert get_log_fields(caplog)["code"] == 1006
    assert [record.msg for record in caplog.records] == ["websocket.closed"]


async def test_nothing_is_sent_on_a_closed_connection(
    gateway: TestGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    _, close = await connect(gateway, "/broken-after-close")
    assert close["code"] == 4001
    assert get_log_fields(caplog)["code"] == 4001
