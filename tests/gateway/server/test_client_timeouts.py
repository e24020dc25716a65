"""A client that takes too long is refused or disconnected, and no other."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send

from gateway.server import client_timeouts
from gateway.server.connections import ClientTimeouts
from gateway.server.request_cycle import MAX_DROPPED_BYTES
from tests.gateway.server.in_memory import GET, POST, RESPONSE, Client, Echo, body, settle, start
from tests.gateway.server.raw_client import (
    GET_HEADERS,
    LARGE,
    POST_CHUNKED,
    TIMEOUT_SECONDS,
    RawClient,
    open_raw_client,
)

HASTY = ClientTimeouts(idle=0.2, head=0.1, stall=0.1)
PATIENT = ClientTimeouts(idle=3_600, head=0.1, stall=3_600)


@pytest.fixture
async def hasty() -> AsyncIterator[RawClient]:
    async with open_raw_client(HASTY) as client:
        yield client


@pytest.mark.parametrize("sent", [b"", GET_HEADERS, b"\r\n\r\n"], ids=["new", "kept", "empty"])
async def test_a_client_without_a_request_is_disconnected(hasty: RawClient, sent: bytes) -> None:
    hasty.writer.write(sent)
    response = await hasty.read_to_the_end()
    assert response.count(b"HTTP/1.1 200 OK") == response.count(b"HTTP/1.1") == (len(sent) > 9)
    assert hasty.reader.at_eof()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /headers HT",
        GET_HEADERS[:-2],
        POST_CHUNKED + b"5\r\nab",
        GET_HEADERS.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"),
        GET_HEADERS + GET_HEADERS[:-2],
    ],
    ids=["half a line", "half a head", "half a chunk", "no body", "half a second head"],
)
async def test_a_client_that_stops_sending_gets_a_408(hasty: RawClient, sent: bytes) -> None:
    hasty.writer.write(sent)
    response = await hasty.read_to_the_end()
    assert response.count(b"HTTP/1.1 200 OK") == sent.startswith(GET_HEADERS)
    assert response.count(b"HTTP/1.1 408 Request Timeout") == 1
    assert hasty.reader.at_eof()


@pytest.mark.parametrize("begun", [b"GET /", GET_HEADERS[:-2] + b"x: "], ids=["line", "field"])
async def test_the_whole_head_has_one_deadline_however_it_is_dripped(
    begun: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lockgate.server")

    async def drip() -> None:
        while True:
            client.writer.write(b"a")
            await asyncio.sleep(0.01)

    async with open_raw_client(PATIENT) as client:
        client.writer.write(begun)
        dripping = asyncio.create_task(drip())
        head = await client.reader.readuntil(b"\r\n\r\n")
        dripping.cancel()
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    (record,) = [it for it in caplog.records if it.name == "lockgate.server"]
    assert record.msg == "request.timeout"
    assert vars(record)["fields"]["reason"].endswith("within server.head_seconds")


async def test_empty_lines_do_not_extend_the_idle_time(hasty: RawClient) -> None:
    for _ in range(1_000):
        hasty.writer.write(b"\r\n")
        await asyncio.sleep(0.01)
        if hasty.reader.at_eof() or hasty.writer.is_closing():
            return
    pytest.fail("ten seconds of empty lines")


async def test_a_body_below_the_minimum_rate_gets_a_408_and_cancels_the_app() -> None:
    app = Echo()
    client = Client(app)
    seconds = client.connections.bodies.seconds
    enough = b"x" * int(client_timeouts.MIN_BYTES_PER_SECOND * seconds)
    await client.send(POST + b"Content-Length: 1000000\r\n\r\n")
    now = asyncio.get_running_loop().time()
    await client.send(enough)
    client.connections.expire(now + seconds + 1)
    await settle()
    assert not client.received
    await client.send(enough[1:])
    client.connections.expire(now + 2 * seconds + 2)
    await settle()
    assert client.received.startswith(b"HTTP/1.1 408 ")
    assert not client.server.tasks
    await client.disconnect()


async def test_a_client_is_not_blamed_for_an_app_that_does_not_read() -> None:
    app = Echo(reads=False)
    app.go.clear()
    client = Client(app)
    await client.send(POST + b"Content-Length: 300000\r\n\r\n" + b"x" * 100_000)
    now = asyncio.get_running_loop().time()
    client.connections.expire(now + client.connections.bodies.seconds + 1)
    await settle()
    assert not client.received
    app.go.set()
    assert await client.send(b"") == RESPONSE
    await client.disconnect()


async def test_a_client_is_not_blamed_while_it_waits_for_100_continue() -> None:
    app = Echo(reads=False)
    app.go.clear()
    client = Client(app)
    await client.send(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    now = asyncio.get_running_loop().time()
    client.connections.expire(now + client.connections.bodies.seconds + 1)
    await settle()
    assert not client.received
    app.go.set()
    assert b"HTTP/1.1 200 OK" in await client.send(b"")
    await client.disconnect()


async def test_a_client_that_does_not_read_is_disconnected(hasty: RawClient) -> None:
    hasty.writer.write(GET_HEADERS.replace(b"/headers", b"/stream"))
    await asyncio.wait_for(hasty.seen.ended.wait(), TIMEOUT_SECONDS)
    await hasty.read_to_the_end()


async def test_a_client_that_reads_slowly_is_not_disconnected(hasty: RawClient) -> None:
    hasty.writer.write(GET_HEADERS.replace(b"/headers", b"/large"))
    read = 0
    while read < LARGE:
        piece = await hasty.reader.read(1_000_000)
        assert piece, f"the end after {read} bytes"
        read += len(piece)
        await asyncio.sleep(0.01)


async def test_a_client_that_waits_for_a_response_is_not_disconnected(hasty: RawClient) -> None:
    request = asyncio.create_task(hasty.send_request(GET_HEADERS.replace(b"/headers", b"/hold")))
    await asyncio.sleep(0.5)
    hasty.seen.go.set()
    assert await request == b"HTTP/1.1 200 OK"


async def test_a_client_that_does_not_close_after_the_end_is_disconnected() -> None:
    client = Client(Echo())
    await client.send(b"\x00")
    assert client.is_eof_sent
    assert not client.is_closed
    for _ in range(100):
        client.protocol.data_received(b"x" * 10_000)
    now = asyncio.get_running_loop().time()
    client.connections.expire(now + client.connections.closing.seconds + 1)
    assert client.is_closed
    await client.disconnect()


async def test_an_unfinished_body_does_not_prolong_the_end_of_a_connection() -> None:
    client = Client(Echo(reads=False))
    await client.send(POST + b"Content-Length: %d\r\n\r\n" % (MAX_DROPPED_BYTES + 1))
    assert client.is_eof_sent
    closing = client.connections.closing
    since = closing.find_oldest()
    client.protocol._wait.check_body(client.connections.bodies.seconds)
    assert closing.find_oldest() == since
    await client.disconnect()


async def test_a_large_upload_after_its_response_is_not_read_to_the_end() -> None:
    client = Client(Echo(reads=False))
    assert await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n") == RESPONSE
    chunk = b"10000\r\n%b\r\n" % (b"x" * 65_536)
    for _ in range(MAX_DROPPED_BYTES // 65_536):
        client.protocol.data_received(chunk)
    assert not client.is_eof_sent
    client.protocol.data_received(chunk)
    assert client.is_eof_sent
    assert await client.send(GET) == RESPONSE
    await client.disconnect()


async def test_the_response_to_a_large_upload_announces_the_end_of_the_connection() -> None:
    for length, is_kept in ((MAX_DROPPED_BYTES, True), (MAX_DROPPED_BYTES + 1, False)):
        client = Client(Echo(reads=False))
        response = await client.send(POST + b"Content-Length: %d\r\n\r\n" % length)
        assert (b"connection: close" not in response) == is_kept
        assert client.is_eof_sent is not is_kept
        await client.disconnect()


async def test_a_client_is_not_blamed_for_a_quiet_body_while_the_response_is_streamed() -> None:
    ends = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200))
        await send(body(b"first", more=True))
        await receive()
        waiting = asyncio.ensure_future(receive())
        await ends.wait()
        waiting.cancel()
        await send(body(b"last"))

    client = Client(app)
    await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    now = asyncio.get_running_loop().time()
    seconds = client.connections.bodies.seconds
    for number in range(1, 4):
        client.connections.expire(now + number * (seconds + 1))
        await settle()
    assert not client.is_closed
    assert not client.is_eof_sent
    ends.set()
    await settle()
    assert client.received.endswith(b"\r\n4\r\nlast\r\n0\r\n\r\n")
    assert not client.is_closed
    client.protocol._wait.check_body(seconds)  # what is left of the body must arrive in time
    assert client.is_eof_sent
    await client.disconnect()
