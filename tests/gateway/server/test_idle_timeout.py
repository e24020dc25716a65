"""A client that makes no progress is disconnected."""

import asyncio

import pytest

from gateway.server import idle_timeout
from tests.gateway.server.raw_client import (
    GET_HEADERS,
    LARGE,
    POST_CHUNKED,
    TIMEOUT_SECONDS,
    RawClient,
)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_timeout, "CHECK_SECONDS", 0.05)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /headers HT",
        GET_HEADERS[:-2],
        POST_CHUNKED + b"5\r\nab",
        GET_HEADERS.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"),
    ],
    ids=["nothing", "half a line", "half a head", "half a chunk", "no body"],
)
@pytest.mark.usefixtures("hasty")
async def test_a_client_that_stops_sending_is_disconnected(client: RawClient, sent: bytes) -> None:
    client.writer.write(sent)
    await client.read_to_the_end()
    assert client.reader.at_eof()


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_sends_too_slowly_is_disconnected(client: RawClient) -> None:
    client.writer.write(GET_HEADERS[:-2])
    for _ in range(1_000):
        client.writer.write(b"a")
        await asyncio.sleep(0.01)
        if client.reader.at_eof() or client.writer.is_closing():
            break
    else:
        pytest.fail("ten seconds for a header line")


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_does_not_read_is_disconnected(client: RawClient) -> None:
    client.writer.write(GET_HEADERS.replace(b"/headers", b"/stream"))
    await asyncio.wait_for(client.seen.ended.wait(), TIMEOUT_SECONDS)
    await client.read_to_the_end()


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_reads_slowly_is_not_disconnected(client: RawClient) -> None:
    client.writer.write(GET_HEADERS.replace(b"/headers", b"/large"))
    read = 0
    while read < LARGE:
        piece = await client.reader.read(1_000_000)
        assert piece, f"the end after {read} bytes"
        read += len(piece)
        await asyncio.sleep(0.01)


@pytest.mark.usefixtures("hasty")
async def test_a_client_that_waits_for_a_response_is_not_disconnected(client: RawClient) -> None:
    request = asyncio.create_task(client.send_request(GET_HEADERS.replace(b"/headers", b"/hold")))
    await asyncio.sleep(0.5)
    client.seen.go.set()
    assert await request == b"HTTP/1.1 200 OK"
