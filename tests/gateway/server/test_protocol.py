"""HTTP/1.1 on the public port: requests as the app gets them, refusals, pipelining, bounds."""

import asyncio
import json

import pytest

from tests.gateway.server.in_memory import GET, POST, RESPONSE, Client, Echo, build_request
from tests.gateway.server.raw_client import GET_HEADERS, POST_CHUNKED, TIMEOUT_SECONDS, RawClient


@pytest.mark.parametrize(
    ("begun", "piece", "status", "detail"),
    [
        (b"GET /", b"a" * 10_000, 414, "longer than 65536 bytes"),
        (b"GET / HTTP/1.1\r\nx: ", b"a" * 10_000, 431, "larger than 65536 bytes"),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n", 431, "more than 128 header fields"),
        (POST_CHUNKED, b"1;" + b"e" * 10_000, 400, "too long for their data"),
        (POST_CHUNKED + b"0\r\n", b"a: b\r\n", 431, "more than 128 header fields"),
    ],
    ids=["target", "value", "fields", "chunk extension", "trailers"],
)
async def test_an_endless_head_is_refused_and_the_bound_is_named(
    begun: bytes, piece: bytes, status: int, detail: str
) -> None:
    app = Echo()
    client = Client(app)
    response = await client.send(begun, *[piece] * 200)
    assert response.startswith(b"HTTP/1.1 %d " % status)
    assert detail in json.loads(response.partition(b"\r\n\r\n")[2])["detail"]
    assert app.seen == []
    assert not client.server.tasks
    await client.disconnect()


async def test_a_head_within_bounds_is_accepted(client: RawClient) -> None:
    fields = b"".join(b"x%d: %s\r\n" % (number, b"v" * 500) for number in range(100))
    assert await client.send_request(GET_HEADERS[:-2] + fields + b"\r\n") == b"HTTP/1.1 200 OK"


async def test_a_long_body_does_not_count_as_a_head(client: RawClient) -> None:
    body = b"POST /headers HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"b" * 300_000
    assert await client.send_request(body) == b"HTTP/1.1 200 OK"


async def test_trailers_are_not_passed_as_headers(client: RawClient) -> None:
    forged = b"0\r\nAuthorization: Bearer forged\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    assert await client.send_request(POST_CHUNKED + forged) == b"HTTP/1.1 200 OK"
    [headers] = client.seen.headers
    assert headers == {"host": "x", "transfer-encoding": "chunked"}


async def test_a_disconnect_with_pipelined_requests_cancels_the_one_in_flight(
    client: RawClient,
) -> None:
    client.writer.write(GET_HEADERS.replace(b"/headers", b"/hold") + GET_HEADERS)
    await asyncio.wait_for(client.seen.begun.wait(), TIMEOUT_SECONDS)
    assert not client.seen.ended.is_set()
    client.writer.close()
    await asyncio.wait_for(client.seen.ended.wait(), TIMEOUT_SECONDS)
    assert client.seen.headers == []


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_the_scope_describes_the_request() -> None:
    app = Echo()
    client = Client(app)
    await client.send(
        b"PUT /a%2Fb/%C3%A4?q=%20&r HTTP/1.1\r\nHost: x\r\nX-A:  \xff b \t\r\nx-a:\r\n\r\n"
    )
    [(scope, content)] = app.seen
    assert content == b""
    assert {
        key: scope[key] for key in scope if key not in {"state", "lockgate.request_context"}
    } == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": "/a/b/\u00e4",
        "raw_path": b"/a%2Fb/%C3%A4",
        "query_string": b"q=%20&r",
        "root_path": "",
        "headers": [(b"host", b"x"), (b"x-a", b"\xff b"), (b"x-a", b"")],
        "client": ("192.0.2.7", 4711),
        "server": ("192.0.2.1", 80),
        "extensions": {"lockgate.response.discard": {}, "lockgate.response.interim": {}},
    }
    await client.disconnect()


async def test_each_request_has_its_own_copy_of_the_state() -> None:
    app = Echo()
    client = Client(app)
    await client.send(GET)
    app.seen[0][0]["state"]["mine"] = True
    await client.send(GET)
    assert app.seen[1][0]["state"] == {"opened": True}
    await client.disconnect()


@pytest.mark.parametrize(
    "request_text",
    [
        build_request(b"/", b""),
        build_request(b"/", b"Host: x\r\nHost: x\r\n"),
        build_request(b"/", b"Host: x\r\nhost: y\r\n"),
        b"GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n",
        build_request(b"/", b"Host: x/y\r\n"),
        build_request(b"/", b"Host: x y\r\n"),
        build_request(b"/", b"Host: u@x\r\n"),
        build_request(b"/", b"Host: x, y\r\n"),
        build_request(b"*"),
        build_request(b"/a#b"),
        build_request(b"http://u@y/"),
        build_request(b"ftp://y/"),
        build_request(b"http://"),
        build_request(b"x"),
        build_request(b"/\xc3\xa4"),
        build_request(b"y:443", method=b"CONNECT"),
        build_request(b"/", method=b"FOO"),
        build_request(b"/", method=b"get"),
        b"GET /\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        build_request(b"/", b"Host: x\r\na: b\r\n c\r\n"),
        build_request(b"/", b" Host: x\r\n"),
        build_request(b"/", b"Host : x\r\n"),
        build_request(b"/", b"Host: x\r\na b: c\r\n"),
        build_request(b"/", b"Host: x\r\na: b\0\r\n"),
        build_request(b"/", b"Host: x\r\na: b\rc\r\n"),
        build_request(b"/", b"Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        build_request(b"/", b"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
        build_request(b"/", b"Host: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n"),
        build_request(b"/", b"Host: x\r\nContent-Length: +1\r\n"),
        build_request(b"/", b"Host: x\r\nContent-Length: 1, 1\r\n"),
        build_request(b"/", b"Host: x\r\nContent-Length: 99999999999999999999\r\n"),
        build_request(b"/", b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n"),
        build_request(b"/", b"Host: x\r\nTransfer-Encoding: identity\r\n"),
        build_request(b"/", b"Host: x\r\nTransfer-Encoding: chunked, chunked\r\n"),
        build_request(
            b"/", b"Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
        ),
        build_request(b"/", b"Host: x\r\nTransfer-Encoding: \x0bchunked\r\n"),
        build_request(b"/", b"Host: x\r\nTransfer-Encoding : chunked\r\n"),
    ],
)
@pytest.mark.parametrize("step", [None, 1])
async def test_an_ambiguous_or_invalid_request_is_refused(
    request_text: bytes, step: int | None
) -> None:
    app = Echo()
    client = Client(app)
    for begin in range(0, len(request_text), step or len(request_text)):
        client.protocol.data_received(request_text[begin : begin + (step or len(request_text))])
    response = await client.send(GET)
    assert response.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ", b"HTTP/1.1 505 "))
    assert b"connection: close\r\n" in response
    assert response.count(b"HTTP/1.1 ") == 1
    assert b"date: now\r\n" in client.received
    assert app.begun == 0
    await client.disconnect()


@pytest.mark.parametrize(
    "chunks",
    [
        b"1 \r\n",
        b"1\na\r\n",
        b"1;a=\nb\r\n",
        b"f" * 17 + b"\r\n",
        b"1\r\nab\r\n",
        b"0x1\r\n",
        b"-1\r\n",
    ],
)
@pytest.mark.parametrize("is_begun", [True, False])
async def test_an_invalid_body_is_refused_and_cancels_the_app(
    chunks: bytes, *, is_begun: bool
) -> None:
    app = Echo()
    client = Client(app)
    response = await client.send(*[CHUNKED, chunks] if is_begun else [CHUNKED + chunks])
    assert response.startswith(b"HTTP/1.1 400 ")
    assert response.count(b"HTTP/1.1 ") == 1
    assert client.is_eof_sent
    assert app.seen == []
    assert app.begun == is_begun
    assert not client.server.tasks
    await client.disconnect()


async def test_an_invalid_body_after_the_response_is_not_answered_again() -> None:
    client = Client(Echo(reads=False))
    assert await client.send(CHUNKED) == RESPONSE
    assert await client.send(b"rubbish\r\n") == RESPONSE
    assert client.is_eof_sent
    await client.disconnect()


@pytest.mark.parametrize(
    "last",
    [build_request(b"/last", b"Host: x\r\nConnection: close\r\n"), b"GET /last HTTP/1.0\r\n\r\n"],
)
@pytest.mark.parametrize("rest", [b"GET /not", GET, b"\r\n\r\n", b"\x00"])
async def test_data_after_the_last_request_is_ignored(last: bytes, rest: bytes) -> None:
    app = Echo()
    app.go.clear()
    client = Client(app)
    assert await client.send(GET + last + rest, rest) == b""
    app.go.set()
    response = await client.send(rest)
    assert response.count(b"HTTP/1.1 200 OK") == response.count(b"HTTP/1.1") == 2
    assert [scope["path"] for scope, _ in app.seen] == ["/", "/last"]
    assert client.is_closed


@pytest.mark.parametrize("step", [1, 7, 1_000])
async def test_upgrade_is_ignored(step: int) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
    request_text = GET + POST + upgrade + b"Content-Length: 4\r\n\r\nfour" + CHUNKED[:-2] + upgrade
    request_text += (
        b"\r\n4\r\nfour\r\n0\r\n\r\n" + build_request(b"/last", b"Host: x\r\n" + upgrade) + GET
    )
    app = Echo()
    client = Client(app)
    await client.send(
        *(request_text[begin : begin + step] for begin in range(0, len(request_text), step))
    )
    assert [content for _, content in app.seen] == [b"", b"four", b"four", b"", b""]
    assert client.received.count(b"HTTP/1.1 200 OK") == 5
    assert (b"upgrade", b"h2c") not in app.seen[1][0]["headers"]
    await client.disconnect()
