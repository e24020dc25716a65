"""Responses on a real socket: whole ones are read, broken ones raise httpx's errors."""

import asyncio

import httpx
import pytest

from gateway.transport.transport import Transport
from tests.gateway.transport.scripted_server import HELLO, OK, Peer, answering, closing, scripted

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


async def send(
    transport: httpx.AsyncBaseTransport, url: str, method: str = "GET"
) -> tuple[int, bytes]:
    """One request without a client around it: status and raw body."""
    timeout = httpx.Timeout(5).as_dict()
    request = httpx.Request(method, url, extensions={"timeout": timeout})
    response = await transport.handle_async_request(request)
    return response.status_code, await response.aread()


WHOLE = {
    "length": (HELLO, b"hello"),
    "empty": (OK + b"Content-Length: 0\r\n\r\n", b""),
    "chunks": (CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
    "chunk extension": (CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
    "trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", b"hello"),
    "no reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO, b"hello"),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + HELLO, b"hello"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
    "unused length": (b"HTTP/1.1 204 No Content\r\nETag: x\r\n\r\n", b""),
}


@pytest.mark.parametrize("name", WHOLE)
async def test_a_complete_response_leaves_a_reusable_connection(
    either: httpx.AsyncBaseTransport, name: str
) -> None:
    answer, body = WHOLE[name]
    async with scripted(answering(answer, HELLO)) as server:
        assert (await send(either, server.url))[1] == body
        assert await send(either, server.url) == (200, b"hello")
        assert server.connections == 1
        await either.aclose()


@pytest.mark.parametrize("name", WHOLE)
async def test_a_response_may_arrive_byte_by_byte(
    either: httpx.AsyncBaseTransport, name: str
) -> None:
    answer, body = WHOLE[name]

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.drip([answer[i : i + 1] for i in range(len(answer))])
        await peer.gone()

    async with scripted(script) as server:
        assert (await send(either, server.url))[1] == body
        await either.aclose()


UNTIL_CLOSE = {
    "no length": OK + b"\r\nhello",
    "old": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "close": OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
    "close among others": OK + b"Connection: x, Close\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("name", UNTIL_CLOSE)
async def test_a_response_may_end_with_its_connection(
    either: httpx.AsyncBaseTransport, name: str
) -> None:
    async with scripted(closing(UNTIL_CLOSE[name])) as server:
        assert await send(either, server.url) == (200, b"hello")
        assert await send(either, server.url) == (200, b"hello")
        assert server.connections == 2
        await either.aclose()


async def test_head_has_no_body_whatever_its_length_says(either: httpx.AsyncBaseTransport) -> None:
    head = OK + b"Content-Length: 500\r\n\r\n"
    async with scripted(answering(head, HELLO)) as server:
        assert await send(either, server.url, "HEAD") == (200, b"")
        assert await send(either, server.url) == (200, b"hello")
        assert server.connections == 1
        await either.aclose()


BROKEN = {
    "not http": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "status below 100": b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "negative length": OK + b"Content-Length: -5\r\n\r\nhello",
    "signed length": OK + b"Content-Length: +5\r\n\r\nhello",
    "huge length": OK + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "chunk size no number": CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n",
    "chunk size negative": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "chunk size overflow": CHUNKED + b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "chunk without its end": CHUNKED + b"5\r\nhelloXX0\r\n\r\n",
    "space in a name": OK + b"X Y: z\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": OK + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "zero byte in a value": OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "half a head": OK + b"Content-Le",
    "half a body": OK + b"Content-Length: 5\r\n\r\nhel",
    "half a chunk": CHUNKED + b"5\r\nhel",
    "no last chunk": CHUNKED + b"5\r\nhello\r\n",
    "nothing": b"",
    "one endless field": OK + b"X: " + b"a" * 300_000,
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_response_is_refused(either: httpx.AsyncBaseTransport, name: str) -> None:
    async with scripted(closing(BROKEN[name])) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            await send(either, server.url)
        await either.aclose()


AMBIGUOUS = {
    "a later version": b"HTTP/2.0 200 OK\r\n\r\n",
    "both lengths": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "equal lengths": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "list of lengths": OK + b"Content-Length: 5, 5\r\n\r\nhello",
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "no chunks": OK + b"Transfer-Encoding: identity\r\n\r\nhello",
    "twice chunked": CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "another protocol, unnamed": b"HTTP/1.1 101 Go\r\n\r\n" + HELLO,
    "folded field": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "chunks with bare line feeds": CHUNKED + b"5\nhello\n0\n\n",
    "many fields": OK + b"X: y\r\n" * 200 + b"Content-Length: 0\r\n\r\n",
    "large head": OK + (b"X: " + b"a" * 1_000 + b"\r\n") * 80 + b"Content-Length: 0\r\n\r\n",
    "many trailers": CHUNKED + b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "endless hints": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000,
    "endless reason": b"HTTP/1.1 200 " + b"a" * 300_000,
    "endless extension": CHUNKED + b"5;" + b"a" * 600_000,
}


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_an_ambiguous_response_is_refused(transport: Transport, name: str) -> None:
    async with scripted(answering(AMBIGUOUS[name])) as server:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await send(transport, server.url)
        assert caught.value.request.url == server.url
        await transport.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        HELLO + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        HELLO + b"\x00",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\n\r\n0\r\n\r\n",
    ],
)
async def test_bytes_after_the_response_close_the_connection(
    transport: Transport, answer: bytes
) -> None:
    async with scripted(answering(answer, HELLO)) as server:
        first = await send(transport, server.url)
        assert await send(transport, server.url) == first
        assert server.connections == 2
        await transport.aclose()


async def test_bytes_on_an_idle_connection_close_it(transport: Transport) -> None:
    idle = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(HELLO)
        await idle.wait()
        peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await peer.gone()

    async with scripted(script) as server:
        assert await send(transport, server.url) == (200, b"hello")
        idle.set()
        await server.over()
        assert await send(transport, server.url) == (200, b"hello")
        assert server.connections == 2


@pytest.mark.parametrize("answer", [b"", OK, OK + b"Content-Length: 5\r\n\r\nhel", OK + b"\r\nhel"])
async def test_a_reset_is_an_error_wherever_it_comes(
    either: httpx.AsyncBaseTransport, answer: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.drip([answer])
        peer.reset()

    async with scripted(script) as server:
        with pytest.raises(httpx.ReadError):
            await send(either, server.url)
        await either.aclose()


async def test_fields_arrive_as_they_were_sent(either: httpx.AsyncBaseTransport) -> None:
    answer = (
        OK + b"Set-Cookie: a\r\nset-cookie: b\r\nX-E:\r\nX-S:  a b \t\r\nContent-Length: 0\r\n\r\n"
    )
    async with scripted(answering(answer)) as server:
        response = await either.handle_async_request(httpx.Request("GET", server.url))
        await response.aread()
        assert response.headers.multi_items() == [
            ("set-cookie", "a"),
            ("set-cookie", "b"),
            ("x-e", ""),
            ("x-s", "a b"),
            ("content-length", "0"),
        ]
        assert response.http_version == "HTTP/1.1"
        assert response.reason_phrase == "OK"
        await either.aclose()


async def test_a_refused_connection_is_a_connect_error(either: httpx.AsyncBaseTransport) -> None:
    async with scripted(answering()) as server:
        pass
    with pytest.raises(httpx.ConnectError):
        await send(either, server.url)


async def test_other_url_schemes_are_refused(transport: Transport) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        await send(transport, "ftp://127.0.0.1/")
