"""A body is read no faster than the app takes it."""

import asyncio

from starlette.types import Receive, Scope, Send

from gateway.server.pipelining import MAX_PIPELINED
from tests.gateway.server.in_memory import GET, HIGH_WATER, POST, RESPONSE, Client, Echo


async def test_an_app_that_does_not_read_pauses_the_client_until_it_responds() -> None:
    app = Echo(reads=False)
    app.go.clear()
    client = Client(app)
    await client.send(POST + b"Content-Length: 300000\r\n\r\n" + b"x" * 100_000)
    assert not client.is_being_read
    app.go.set()
    assert await client.send() == b""
    await client.send(b"")
    assert client.is_being_read
    assert await client.send(b"x" * 200_000 + GET) == RESPONSE * 2
    await client.disconnect()


async def test_pipelined_bodies_together_are_bounded_like_one() -> None:
    app = Echo()
    app.go.clear()
    client = Client(app)
    await client.send(GET)
    size, sent = 60_000, 0
    while client.is_being_read and sent < MAX_PIPELINED:
        await client.send(POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
        sent += 1
    assert sent * size <= HIGH_WATER + size
    app.go.set()
    await client.send(b"")
    assert client.is_being_read
    assert [len(content) for _, content in app.seen] == [0] + [size] * sent
    await client.disconnect()


async def test_waiting_for_the_disconnect_does_not_buffer_more() -> None:
    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        while True:
            waiting = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            waiting.cancel()

    client = Client(app)
    await client.send(GET + POST + b"Content-Length: 300000\r\n\r\n" + b"x" * 100_000)
    assert not client.is_being_read
    await client.disconnect()


async def test_a_long_pipelined_body_arrives_complete() -> None:
    app = Echo()
    app.go.clear()
    client = Client(app)
    await client.send(GET + POST + b"Content-Length: 300000\r\n\r\n" + b"x" * 100_000)
    assert not client.is_being_read
    app.go.set()
    await client.send(b"")
    assert client.is_being_read
    assert await client.send(b"x" * 200_000) == RESPONSE * 2
    assert len(app.seen[1][1]) == 300_000
    await client.disconnect()
