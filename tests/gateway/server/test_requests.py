"""What an app receives of a request, and which requests are refused."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.server.protocol import MAX_PIPELINED
from tests.gateway.server.in_memory import HIGH_WATER, Client, Echo, body, start

RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 400 Bad Request\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
EXPECTS = POST + b"Content-Length: 4\r\nExpect: 100-Continue\r\n\r\n"


def get(target: bytes, fields: bytes = b"Host: x\r\n", method: bytes = b"GET") -> bytes:
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, fields)


async def test_the_scope_describes_the_request() -> None:
    app = Echo()
    client = Client(app, root_path="/api")
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
        "path": "/api/a/b/\u00e4",
        "raw_path": b"/api/a%2Fb/%C3%A4",
        "query_string": b"q=%20&r",
        "root_path": "/api",
        "headers": [(b"host", b"x"), (b"x-a", b"\xff b"), (b"x-a", b"")],
        "client": ("192.0.2.7", 4711),
        "server": ("192.0.2.1", 80),
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
    ("request_text", "path", "query", "host"),
    [
        (get(b"//e/x"), "//e/x", b"", b"x"),
        (get(b"/a:80?b?c"), "/a:80", b"b?c", b"x"),
        (get(b"/%"), "/%", b"", b"x"),
        (get(b"/%ff"), "/\ufffd", b"", b"x"),
        (get(b"http://y:81/a?b"), "/a", b"b", b"y:81"),
        (get(b"HTTPS://[::1]"), "/", b"", b"[::1]"),
        (get(b"http://y?b"), "/", b"b", b"y"),
        (get(b"*", method=b"OPTIONS"), "*", b"", b"x"),
        (get(b"/", b"Host:\r\n"), "/", b"", b""),
        (get(b"/", b"Host: x.y_z:80\r\n"), "/", b"", b"x.y_z:80"),
    ],
)
async def test_a_target_may_have_these_forms(
    request_text: bytes, path: str, query: bytes, host: bytes
) -> None:
    app = Echo()
    client = Client(app)
    assert await client.send(request_text) == RESPONSE
    [(scope, _)] = app.seen
    assert (scope["path"], scope["query_string"]) == (path, query)
    assert scope["headers"] == [(b"host", host)]
    await client.disconnect()


@pytest.mark.parametrize(
    "request_text",
    [
        get(b"/", b""),
        get(b"/", b"Host: x\r\nHost: x\r\n"),
        get(b"/", b"Host: x\r\nhost: y\r\n"),
        b"GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n",
        get(b"/", b"Host: x/y\r\n"),
        get(b"/", b"Host: x y\r\n"),
        get(b"/", b"Host: u@x\r\n"),
        get(b"/", b"Host: x, y\r\n"),
        get(b"*"),
        get(b"/a#b"),
        get(b"http://u@y/"),
        get(b"ftp://y/"),
        get(b"http://"),
        get(b"x"),
        get(b"/\xc3\xa4"),
        get(b"y:443", method=b"CONNECT"),
        get(b"/", method=b"FOO"),
        get(b"/", method=b"get"),
        b"GET /\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        get(b"/", b"Host: x\r\na: b\r\n c\r\n"),
        get(b"/", b" Host: x\r\n"),
        get(b"/", b"Host : x\r\n"),
        get(b"/", b"Host: x\r\na b: c\r\n"),
        get(b"/", b"Host: x\r\na: b\0\r\n"),
        get(b"/", b"Host: x\r\na: b\rc\r\n"),
        get(b"/", b"Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        get(b"/", b"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
        get(b"/", b"Host: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n"),
        get(b"/", b"Host: x\r\nContent-Length: +1\r\n"),
        get(b"/", b"Host: x\r\nContent-Length: 1, 1\r\n"),
        get(b"/", b"Host: x\r\nContent-Length: 99999999999999999999\r\n"),
        get(b"/", b"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n"),
        get(b"/", b"Host: x\r\nTransfer-Encoding: identity\r\n"),
        get(b"/", b"Host: x\r\nTransfer-Encoding: chunked, chunked\r\n"),
        get(b"/", b"Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        get(b"/", b"Host: x\r\nTransfer-Encoding: \x0bchunked\r\n"),
        get(b"/", b"Host: x\r\nTransfer-Encoding : chunked\r\n"),
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
    assert response.startswith(REFUSED)
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
async def test_an_invalid_body_ends_the_request_without_a_response(chunks: bytes) -> None:
    app = Echo()
    client = Client(app)
    assert await client.send(CHUNKED, chunks) == b""
    assert client.is_closed
    assert app.seen == []
    assert app.begun == 1


async def test_an_invalid_body_after_the_response_is_not_answered_again() -> None:
    client = Client(Echo(reads=False))
    assert await client.send(CHUNKED) == RESPONSE
    assert await client.send(b"rubbish\r\n") == RESPONSE
    assert client.is_eof_sent
    await client.disconnect()


@pytest.mark.parametrize(
    "last", [get(b"/last", b"Host: x\r\nConnection: close\r\n"), b"GET /last HTTP/1.0\r\n\r\n"]
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
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
    request_text = GET + POST + wish + b"Content-Length: 4\r\n\r\nfour" + CHUNKED[:-2] + wish
    request_text += b"\r\n4\r\nfour\r\n0\r\n\r\n" + get(b"/last", b"Host: x\r\n" + wish) + GET
    app = Echo()
    client = Client(app)
    await client.send(
        *(request_text[begin : begin + step] for begin in range(0, len(request_text), step))
    )
    assert [content for _, content in app.seen] == [b"", b"four", b"four", b"", b""]
    assert client.received.count(b"HTTP/1.1 200 OK") == 5
    assert (b"upgrade", b"h2c") not in app.seen[1][0]["headers"]
    await client.disconnect()


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
        EXPECTS.replace(b"100-Continue", b"a wonder"),
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


async def test_a_body_of_a_get_is_dropped() -> None:
    app = Echo()
    client = Client(app)
    request_text = get(b"/", b"Host: x\r\nContent-Length: 100000\r\n") + b"x" * 100_000
    assert await client.send(request_text + GET) == RESPONSE * 2
    assert app.seen[0][1] == b""
    await client.disconnect()


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
