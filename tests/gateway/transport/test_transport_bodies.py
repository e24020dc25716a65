"""Bodies in both directions: of any size, with backpressure."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.transport.connection import HIGH_WATER
from gateway.transport.transport import Transport
from tests.gateway.transport.scripted_server import HELLO, OK, Peer, answering, scripted


class Recording:
    """A server that keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.requests.append(await peer.request())
            peer.send(HELLO)


def _iterated(*pieces: bytes) -> AsyncIterator[bytes]:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return body()


async def test_a_request_byte_for_byte(either: httpx.AsyncBaseTransport) -> None:
    recording = Recording()
    async with scripted(recording) as server:
        request = httpx.Request(
            "POST", f"{server.url}/a%20b?q=c#d", headers={"X-Name": "value"}, content=b"hello"
        )
        await (await either.handle_async_request(request)).aread()
        await either.aclose()
        host = server.url.removeprefix("http://").encode()
    assert recording.requests == [
        b"POST /a%20b?q=c HTTP/1.1\r\nHost: " + host + b"\r\nX-Name: value\r\n"
        b"Content-Length: 5\r\n\r\nhello"
    ]


async def test_an_iterated_body_is_sent_in_chunks(either: httpx.AsyncBaseTransport) -> None:
    recording = Recording()
    async with scripted(recording) as server:
        for _ in range(2):
            body = _iterated(b"hel", b"", b"lo")
            request = httpx.Request("POST", server.url, content=body)
            await (await either.handle_async_request(request)).aread()
        assert server.connections == 1
        await either.aclose()
    assert recording.requests[0].endswith(b"\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")


async def test_an_iterated_body_of_known_length_is_sent_as_it_is(
    either: httpx.AsyncBaseTransport,
) -> None:
    recording = Recording()
    headers = {"Content-Length": "5"}
    async with scripted(recording) as server:
        request = httpx.Request(
            "POST", server.url, headers=headers, content=_iterated(b"hel", b"lo")
        )
        await (await either.handle_async_request(request)).aread()
        await either.aclose()
    assert recording.requests[0].endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize("pieces", [(b"hel",), (b"hel", b"lo!"), ()])
async def test_a_streamed_body_that_contradicts_its_length_ends_the_connection(
    transport: Transport, pieces: tuple[bytes, ...]
) -> None:
    async with scripted(Recording()) as server:
        request = httpx.Request(
            "POST", server.url, headers={"Content-Length": "5"}, content=_iterated(*pieces)
        )
        with pytest.raises(httpx.LocalProtocolError):
            await transport.handle_async_request(request)
        await transport.aclose()


@pytest.mark.parametrize("length", ["3", "9", "5, 5", "5\t", "+5", "\u0665"])
async def test_a_body_that_contradicts_its_length_is_not_sent(
    transport: Transport, length: str
) -> None:
    request = httpx.Request("POST", "http://127.0.0.1:1", content=b"hello")
    request.headers = httpx.Headers([(b"Content-Length", length.encode())])
    with pytest.raises(httpx.LocalProtocolError):
        await transport.handle_async_request(request)


@pytest.mark.parametrize(("content", "body"), [(b"hello", b"5\r\nhello\r\n0"), (b"", b"0")])
async def test_bytes_can_be_sent_chunked(transport: Transport, content: bytes, body: bytes) -> None:
    recording = Recording()
    async with scripted(recording) as server:
        request = httpx.Request("PUT", server.url, content=content)
        request.headers = httpx.Headers({"Host": "a", "Transfer-Encoding": "chunked"})
        await (await transport.handle_async_request(request)).aread()
        await transport.aclose()
    assert recording.requests[0].endswith(b"\r\n\r\n" + body + b"\r\n\r\n")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "5", "Transfer-Encoding": "chunked"},
        {"Transfer-Encoding": "gzip"},
        {"Content-Length": "five"},
    ],
)
async def test_a_body_of_ambiguous_length_is_not_sent(
    transport: Transport, headers: dict[str, str]
) -> None:
    request = httpx.Request("POST", "http://127.0.0.1:1", content=_iterated(b"hello"))
    request.headers = httpx.Headers({"Host": "a", **headers})
    with pytest.raises(httpx.LocalProtocolError):
        await transport.handle_async_request(request)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"X", b"a\r\nY: b")],
        [(b"X", b"a\n")],
        [(b"X\r\nY", b"b")],
        [(b"X Y", b"b")],
        [(b"", b"b")],
        [(b"X:", b"b")],
        [(b"X", b"a\x00b")],
    ],
)
async def test_an_invalid_header_is_not_sent(
    either: httpx.AsyncBaseTransport, headers: list[tuple[bytes, bytes]]
) -> None:
    async with scripted(Recording()) as server:
        request = httpx.Request("GET", server.url)
        request.headers = httpx.Headers([(b"Host", b"a"), *headers])
        with pytest.raises(httpx.LocalProtocolError):
            await either.handle_async_request(request)
        await either.aclose()


@pytest.mark.parametrize("method", ["GET /x HTTP/1.1\r\nX:", "G T", "", "CONNECT"])
async def test_an_invalid_method_is_not_sent(transport: Transport, method: str) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        await transport.handle_async_request(httpx.Request(method, "http://127.0.0.1:1"))


async def test_a_large_body_arrives_whole(either: httpx.AsyncBaseTransport) -> None:
    body = bytes(range(256)) * 20_000
    answer = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with scripted(answering(answer, HELLO)) as server:
        for expected in (body, b"hello"):
            response = await either.handle_async_request(httpx.Request("GET", server.url))
            assert await response.aread() == expected
        assert server.connections == 1
        await either.aclose()


async def test_a_large_request_arrives_whole(either: httpx.AsyncBaseTransport) -> None:
    recording = Recording()
    body = bytes(range(256)) * 20_000
    async with scripted(recording) as server:
        for content in (body, _iterated(*[body[:100_000]] * 9)):
            request = httpx.Request(
                "POST", server.url, content=content, headers={"Content-Type": "x/y"}
            )
            await (await either.handle_async_request(request)).aread()
        await either.aclose()
    assert recording.requests[0].endswith(body)
    assert recording.requests[1].count(body[:100_000]) == 9


async def test_backpressure_a_server_is_read_no_faster_than_its_response(
    transport: Transport,
) -> None:
    sent = 0
    stuck = asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        peer.send(OK + b"\r\n")
        while sent < 100_000_000:
            peer.send(b"a" * 100_000)
            sent += 100_000
            try:
                await asyncio.wait_for(peer.writer.drain(), 0.3)
            except TimeoutError:
                break
        stuck.set()

    async with scripted(script) as server:
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        await asyncio.wait_for(stuck.wait(), 30)
        # What the kernel holds for both ends is not ours to bound; 100 MB it is not.
        assert sent < 50_000_000
        received = 0
        largest = 0
        async for piece in response.aiter_raw():
            received += len(piece)
            largest = max(largest, len(piece))
        assert received == sent
        assert largest <= HIGH_WATER + 262_144


async def test_a_response_that_comes_before_the_request_is_sent_counts(
    transport: Transport,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    async with scripted(script) as server:
        for content in (b"a" * 30_000_000, _endless()):
            request = httpx.Request("POST", server.url, content=content)
            response = await transport.handle_async_request(request)
            assert response.status_code == 413
        assert server.connections == 2


async def test_a_server_that_closes_without_reading_is_noticed(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        peer.writer.write_eof()
        await asyncio.Event().wait()

    async with scripted(script) as server:
        request = httpx.Request("POST", server.url, content=b"a" * 30_000_000)
        with pytest.raises(httpx.RemoteProtocolError):
            await asyncio.wait_for(transport.handle_async_request(request), 5)


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield b"a" * 10_000
        await asyncio.sleep(0)


async def test_a_server_that_does_not_read_times_out(either: httpx.AsyncBaseTransport) -> None:
    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    timeout = {"write": 0.1, "connect": 5, "read": 5}
    async with scripted(script) as server:
        request = httpx.Request(
            "POST", server.url, content=_endless(), extensions={"timeout": timeout}
        )
        with pytest.raises(httpx.WriteTimeout):
            await either.handle_async_request(request)
        await either.aclose()


async def test_a_request_body_that_fails_closes_its_connection(transport: Transport) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        raise LookupError("no more")

    async with scripted(Recording()) as server:
        with pytest.raises(LookupError):
            await transport.handle_async_request(httpx.Request("POST", server.url, content=body()))
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        assert response.status_code == 200
        assert server.connections == 2
        await transport.aclose()
