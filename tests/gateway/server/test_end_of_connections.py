"""How connections end (by client, app or server), and that they leave nothing behind."""

import asyncio
import gc
import logging
import weakref
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from gateway.request_context import RequestContext
from tests.gateway.server.in_memory import Client, Echo, body, make_app, settle, start

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
TIMEOUT_SECONDS = 10


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def test_a_disconnect_cancels_the_app_once_and_is_logged_as_499() -> None:
    scopes: list[Scope] = []
    cancellations = 0

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        nonlocal cancellations
        scopes.append(scope)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancellations += 1
            await asyncio.sleep(0)
            raise

    client = Client(app)
    await client.send(GET * 3)
    await client.disconnect()
    assert cancellations == len(scopes) == 1
    assert RequestContext.of(scopes[0]).log_fields == {"status": 499}
    assert not client.server.tasks


async def test_a_disconnect_before_the_app_has_started_leaves_no_task() -> None:
    begun = False

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        nonlocal begun
        begun = True

    client = Client(app)
    client.protocol.data_received(GET)
    [task] = client.server.tasks
    assert task.get_name() == "request"
    client.protocol.connection_lost(None)
    await settle()
    assert task.cancelled()
    assert not begun
    assert not client.server.tasks


async def test_a_failure_after_the_client_has_disconnected_leaves_no_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start(200, (b"content-length", b"9")))
        await send(body(b"half", more=True))
        raise RuntimeError("broken")

    class Reset(Client):
        def can_write_eof(self) -> bool:
            return True

        def write_eof(self) -> None:
            raise OSError(107, "not connected")

    client = Reset(app)
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    assert client.is_closed
    assert not client.server.tasks
    caplog.clear()


async def test_a_disconnect_after_the_response_cancels_nothing() -> None:
    go, ended = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await make_app(start(200, (b"content-length", b"2")), body(b"ok"))(scope, receive, send)
        await go.wait()
        ended.set()

    client = Client(app)
    assert await client.send(GET) == RESPONSE
    await client.disconnect()
    go.set()
    await settle()
    assert ended.is_set()
    assert not client.server.tasks


async def test_an_app_that_ignores_its_cancellation_gets_an_error_when_it_sends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            assert await receive() == {"type": "http.disconnect"}
        await send(start())

    client = Client(app)
    await client.send(GET)
    with caplog.at_level(logging.INFO):
        await client.disconnect()
    assert not client.received
    assert not client.server.tasks
    assert not caplog.records


async def test_an_exception_in_the_cleanup_after_a_disconnect_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("in the cleaning up")

    client = Client(app)
    await client.send(GET)
    await client.disconnect()
    assert [record.msg for record in caplog.records] == ["app.failed"]


async def test_shutdown_closes_idle_connections_at_once() -> None:
    for sent in (b"", GET, GET[:-2], GET + GET[:9]):
        client = Client(Echo())
        await client.send(sent)
        client.protocol.shutdown()
        await settle()
        assert client.is_closed
        assert not client.server.connections


async def test_shutdown_completes_the_request_in_flight_and_no_other() -> None:
    app = Echo()
    app.go.clear()
    client = Client(app)
    await client.send(GET * 3)
    client.protocol.shutdown()
    assert not client.is_closed
    app.go.set()
    response = await client.send(GET)
    assert response.count(b"HTTP/1.1") == response.count(b"connection: close") == 1
    assert client.is_closed
    assert app.begun == 1


async def test_shutdown_does_not_wait_for_clients_to_close_or_to_send() -> None:
    app = Echo(reads=False)
    app.go.clear()
    sending, refused = Client(app), Client(app)
    await sending.send(POST)
    await refused.send(b"\x00")
    for client in (sending, refused):
        client.protocol.shutdown()
    app.go.set()
    await settle()
    assert sending.is_closed
    assert refused.is_closed


async def test_a_request_that_the_server_cancels_gets_a_500() -> None:
    app = Echo()
    app.go.clear()
    client = Client(app)
    await client.send(GET)
    [task] = client.server.tasks
    task.cancel()
    assert (await client.send(b"")).startswith(b"HTTP/1.1 500 ")
    assert client.is_closed


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        GET,
        GET * 3,
        GET[:-2],
        POST + b"x" * 100_000,
        b"\x00",
        GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        GET[:-2] + b"Connection: close\r\n\r\n" + GET,
    ],
)
@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_closed_connection_leaves_no_object_behind(sent: bytes, is_answered: bool) -> None:
    app = Echo()
    if not is_answered:
        app.go.clear()
    client = Client(app)
    server, protocol = client.server, weakref.ref(client.protocol)
    await client.send(sent)
    await client.disconnect()
    app.seen.clear()
    del client
    await settle()
    assert not server.connections
    assert not server.tasks
    assert protocol() is None


async def test_the_state_of_a_connection_is_shown() -> None:
    app = Echo()
    app.go.clear()
    client = Client(app)
    shown = [repr(client.protocol)]
    for piece in (GET[:-2], b"\r\n", GET):
        await client.send(piece)
        shown.append(repr(client.protocol))
    assert "GET '/' waiting" in repr(client.protocol._active)
    app.go.set()
    await client.send(b"")
    shown.append(repr(client.protocol))
    assert "complete" in repr(client.protocol._active)
    assert "open, reading" in repr(client.protocol._flow)
    protocol = client.protocol
    await client.disconnect()
    shown.append(repr(protocol))
    assert shown == [
        "<HttpProtocol idle, 0 pipelined>",
        "<HttpProtocol reading head, 0 pipelined>",
        "<HttpProtocol responding, 0 pipelined>",
        "<HttpProtocol responding, 1 pipelined>",
        "<HttpProtocol idle, 0 pipelined>",
        "<HttpProtocol closing, 0 pipelined>",
    ]
