"""The body of a request and its response, as the app receives and sends them."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.request_context import WHOLE_BODY
from tests.gateway.server.in_memory import (
    GET,
    POST,
    RESPONSE,
    Client,
    Echo,
    body,
    build_request,
    start,
)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EXPECTS = POST + b"Content-Length: 4\r\nExpect: 100-Continue\r\n\r\n"


async def test_100_continue_is_sent_when_the_app_reads_the_body() -> None:
    app = Echo()
    client = Client(app)
    assert await client.send(EXPECTS) == CONTINUE
    assert await client.send(b"four", GET) == CONTINUE + RESPONSE * 2
    assert app.seen[0][1] == b"four"
    await client.disconnect()


@pytest.mark.parametrize(
    "request_text",
    [
        EXPECTS + b"f",
        EXPECTS.replace(b"1.1", b"1.0"),
    ],
)
async def test_100_continue_is_not_sent_without_need(request_text: bytes) -> None:
    app = Echo()
    client = Client(app)
    assert await client.send(request_text) == b""
    await client.send(b"four"[request_text.endswith(b"f") :])
    assert app.seen[0][1] == b"four"
    await client.disconnect()


async def test_without_100_continue_the_connection_ends() -> None:
    client = Client(Echo(reads=False))
    response = await client.send(EXPECTS, GET)
    assert response.count(b"HTTP/1.1") == 1
    assert b"connection: close\r\n" in response
    assert client.is_eof_sent
    await client.disconnect()


async def test_a_client_with_half_a_body_sent_can_still_read_its_response() -> None:
    client = Client(Echo(reads=False))
    long = POST + b"Connection: close\r\nContent-Length: 4000000\r\n\r\n"
    await client.send(long + b"x" * 300_000)
    assert client.is_eof_sent
    assert not client.is_closed
    assert client.is_being_read
    await client.disconnect()


@pytest.mark.parametrize("reads", [False, True])
async def test_a_body_of_a_get_is_there_for_an_app_that_reads_it(reads: bool) -> None:
    app = Echo(reads=reads)
    client = Client(app)
    content = b"x" * 100_000
    request_text = build_request(b"/", b"Host: x\r\nContent-Length: 100000\r\n") + content
    assert await client.send(request_text + GET) == RESPONSE * 2
    assert app.seen[0][1] == (content if reads else b"")
    await client.disconnect()


@pytest.mark.parametrize(
    ("pieces", "is_whole"),
    [
        ([POST + b"Content-Length: 2\r\n\r\nab"], True),
        ([POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"], True),
        ([POST + b"Content-Length: 2\r\n\r\na", b"b"], False),
        ([GET], False),
    ],
)
async def test_the_app_knows_that_the_body_has_arrived_with_the_head(
    pieces: list[bytes], is_whole: bool
) -> None:
    seen: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(WHOLE_BODY in scope["extensions"])
        await receive()
        await send(start(200, (b"content-length", b"0")))
        await send(body())

    client = Client(app)
    await client.send(*pieces)
    assert seen == [is_whole]
    await client.disconnect()


async def test_after_the_body_receive_returns_the_disconnect() -> None:
    received: list[Message] = []
    early = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        received.append(await receive())
        both = asyncio.gather(receive(), receive())
        await early.wait()
        assert not both.done()
        await send(start(200, (b"content-length", b"0")))
        await send(body())
        received.extend(await both)
        received.append(await receive())

    client = Client(app)
    await client.send(POST + b"Content-Length: 1\r\n\r\nx")
    early.set()
    await client.send(b"")
    assert received[0] == {"type": "http.request", "body": b"x", "more_body": False}
    assert received[1:] == [{"type": "http.disconnect"}] * 3
    await client.disconnect()


async def test_the_unread_body_is_dropped_with_the_response() -> None:
    received: list[Message] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, (b"content-length", b"0")))
        await send(body())
        received.append(await receive())

    client = Client(app)
    await client.send(POST + b"Content-Length: 1\r\n\r\nx")
    assert received == [{"type": "http.disconnect"}]
    await client.disconnect()
