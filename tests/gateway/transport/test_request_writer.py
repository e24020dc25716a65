"""Requests byte for byte, and requests that are not sent because they are invalid."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.transport.transport import Transport
from tests.gateway.transport.scripted_server import RecordingServer, serve_script


def _iterated(*pieces: bytes) -> AsyncIterator[bytes]:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return body()


async def test_a_request_byte_for_byte(either: httpx.AsyncBaseTransport) -> None:
    recording = RecordingServer()
    async with serve_script(recording) as server:
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
    recording = RecordingServer()
    async with serve_script(recording) as server:
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
    recording = RecordingServer()
    headers = {"Content-Length": "5"}
    async with serve_script(recording) as server:
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
    async with serve_script(RecordingServer()) as server:
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
    recording = RecordingServer()
    async with serve_script(recording) as server:
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
    async with serve_script(RecordingServer()) as server:
        request = httpx.Request("GET", server.url)
        request.headers = httpx.Headers([(b"Host", b"a"), *headers])
        with pytest.raises(httpx.LocalProtocolError):
            await either.handle_async_request(request)
        await either.aclose()


@pytest.mark.parametrize("method", ["GET /x HTTP/1.1\r\nX:", "G T", "", "CONNECT"])
async def test_an_invalid_method_is_not_sent(transport: Transport, method: str) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        await transport.handle_async_request(httpx.Request(method, "http://127.0.0.1:1"))


async def test_a_large_request_arrives_whole(either: httpx.AsyncBaseTransport) -> None:
    recording = RecordingServer()
    body = bytes(range(256)) * 20_000
    async with serve_script(recording) as server:
        for content in (body, _iterated(*[body[:100_000]] * 9)):
            request = httpx.Request(
                "POST", server.url, content=content, headers={"Content-Type": "x/y"}
            )
            await (await either.handle_async_request(request)).aread()
        await either.aclose()
    assert recording.requests[0].endswith(body)
    assert recording.requests[1].count(body[:100_000]) == 9
