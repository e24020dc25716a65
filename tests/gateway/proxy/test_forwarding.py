"""A proxied request and its response, over real sockets: framing, status, errors, retries."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.gateway.proxy.serve_proxy import Caller, ServedProxy, serve_proxy, wait_until
from tests.gateway.transport.scripted_server import (
    HELLO,
    OK,
    Peer,
    RecordingServer,
    Script,
    respond_and_close,
    respond_with,
)

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_a_small_response_comes_back_in_one_piece_with_its_length(no_leaks: None) -> None:
    service = RecordingServer()
    async with serve_proxy(service) as proxy:
        caller = await proxy.connect()
        caller.get("/service/items/1?q=%20a")
        head = await caller.read_head()
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\ncontent-length: 5\r\n" in head
        assert b"\r\nserver-timing: service;dur=" in head
        assert await caller.read(5) == b"hello"
        assert proxy.streams.count == 0
    (request,) = service.requests
    assert request.startswith(b"GET /items/1?q=%20a HTTP/1.1\r\n")
    assert not {b"content-length", b"transfer-encoding"} & set(request.lower().split(b": "))


RESPONSES = {
    "HEAD": ("HEAD", OK + b"Content-Length: 7\r\n\r\n", b"content-length: 7", b""),
    "204": ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", b"204", b""),
    "304": (
        "GET",
        b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 9\r\n\r\n',
        b'etag: "a"',
        b"",
    ),
    "206": (
        "GET",
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nhe",
        b"content-range: bytes 0-1/9",
        b"he",
    ),
    "416": (
        "GET",
        b"HTTP/1.1 416 Unsatisfiable\r\nContent-Range: bytes */9\r\nContent-Length: 0\r\n\r\n",
        b"content-range: bytes */9",
        b"",
    ),
    "chunked": (
        "GET",
        CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
        b"transfer-encoding: chunked",
        b"5\r\nhello\r\n0\r\n\r\n",
    ),
    "500": ("POST", b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno", b"500", b"no"),
    "encoded": (
        "GET",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nzzzz",
        b"content-encoding: gzip",
        b"zzzz",
    ),
    "compressible": (
        "GET",
        OK + b"Content-Type: application/json\r\nContent-Length: 2000\r\n\r\n" + b"1" * 2000,
        b"content-length: 2000",
        b"1" * 2000,
    ),
}


class Answering:
    """A service that responds to every request with the pieces of the test."""

    pieces: Sequence[bytes] = ()

    async def __call__(self, peer: Peer) -> None:
        while await peer.read_request():
            await peer.drip(list(self.pieces))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answering() -> AsyncIterator[tuple[Answering, Caller, ServedProxy]]:
    """Serve all of the tests on one connection, which shows that nothing is left over."""
    service = Answering()
    async with serve_proxy(service) as proxy:
        yield service, await proxy.connect(), proxy
        assert proxy.service.connections == 1


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", RESPONSES)
@pytest.mark.parametrize("cut", [0, 30, -1])
async def test_a_response_is_passed_on_as_it_is(
    answering: tuple[Answering, Caller, ServedProxy], name: str, cut: int
) -> None:
    service, caller, proxy = answering
    method, answer, field, body = RESPONSES[name]
    service.pieces = [answer[:cut], answer[cut:]] if cut else [answer]
    for _ in range(2):
        caller.get("/service/x", b"Accept-Encoding: gzip", b"Range: bytes=0-1", method=method)
        head = await caller.read_head()
        assert field in head
        assert await caller.read(len(body)) == body
    assert proxy.service.connections == 1


async def test_a_response_without_a_length_ends_with_its_connection(no_leaks: None) -> None:
    async with serve_proxy(respond_and_close(b"HTTP/1.0 200 OK\r\n\r\nhello")) as proxy:
        caller = await proxy.connect()
        caller.get()
        assert b"transfer-encoding: chunked" in await caller.read_head()
        body = await caller.read_until(b"0\r\n\r\n")
        assert body == b"5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "framing"),
    [
        (b"Content-Length: 5\r\n\r\nhello", b"content-length: 5\r\n\r\nhello"),
        (
            b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        (b"Content-Length: 0\r\n\r\n", b"content-length: 0\r\n\r\n"),
        (b"\r\n", b"content-length: 0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"chunked\r\n\r\n0\r\n\r\n"),
    ],
)
async def test_chunked_requests_stay_chunked_and_lengths_stay_lengths(
    no_leaks: None, sent: bytes, framing: bytes
) -> None:
    service = RecordingServer()
    async with serve_proxy(service) as proxy:
        caller = await proxy.connect()
        for _ in range(2):
            caller.send(b"POST /service/x HTTP/1.1\r\nHost: gateway\r\n" + sent)
            assert await caller.read_body() == b"hello"
        assert proxy.service.connections == 1
        assert proxy.streams.count == 0
    for request in service.requests:
        assert request.endswith(framing)
        assert (
            request.lower().count(b"\r\ncontent-length:") + request.lower().count(b"chunked") == 1
        )


SEARCH = b"POST /a HTTP/1.1\r\nHost: other\r\n\r\n"  # a body that looks like a request


@pytest.mark.parametrize("transport", ["lockgate", "httpx"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("is_cut", [False, True])
async def test_a_body_is_not_lost_whatever_the_method(
    no_leaks: None, method: str, is_cut: bool, transport: str
) -> None:
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            requests.append(await peer.read_request())
            peer.send(OK + b"Content-Length: 5\r\n\r\n" + (b"" if method == "HEAD" else b"hello"))

    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SEARCH), SEARCH)
    framings = [
        (b"Content-Length: %d" % len(SEARCH), SEARCH),
        (b"Transfer-Encoding: chunked", chunks),
        (b"Content-Length: 0", b""),
    ]
    async with serve_proxy(script, service={"transport": transport}) as proxy:
        caller = await proxy.connect()
        for field, content in framings:
            head = f"{method} /service/x HTTP/1.1\r\nHost: gateway\r\n".encode()
            head += field + b"\r\n\r\n"
            if is_cut:
                caller.send(head + content[:30])
                await wait_until(lambda: proxy.service.connections)
                caller.send(content[30:])
            else:
                caller.send(head + content)
            assert (await caller.read_head()).startswith(b"HTTP/1.1 200 ")
            await caller.read(0 if method == "HEAD" else 5)
    bodies = [request.partition(b"\r\n\r\n")[2] for request in requests]
    assert bodies == [SEARCH, chunks, b""]
    for request, (field, content) in zip(requests, framings, strict=True):
        assert (b"\r\n" + field.lower() in request.lower()) == bool(content)


async def close_at_once(_: Peer) -> None:
    pass


async def stay_silent(peer: Peer) -> None:
    await peer.wait_closed()


async def respond_badly(peer: Peer) -> None:
    await peer.read_request()
    peer.send(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")
    await peer.wait_closed()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("script", "status", "kind"),
    [
        (close_at_once, 503, b"unavailable"),
        (stay_silent, 504, b"timeout"),
        (respond_badly, 502, b"invalid"),
    ],
)
async def test_a_failure_before_the_head_is_a_problem_that_names_the_service(
    no_leaks: None, method: str, script: Script, status: int, kind: bytes
) -> None:
    async with serve_proxy(script, service={"timeout": 0.05}) as proxy:
        caller = await proxy.connect()
        caller.get("/service/x", b"Content-Length: 0", method=method)
        head = await caller.read_head()
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"content-type: application/problem+json" in head
        assert b"server-timing: service;dur=" in head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert b"upstream-" + kind in await caller.read(length)


@pytest.mark.parametrize(
    ("method", "content", "status"),
    [
        ("GET", [b""], 200),
        ("PUT", [b"hello"], 200),  # its body has arrived with the head
        ("PUT", [b"hel", b"lo"], 503),
        ("POST", [b""], 503),
    ],
)
async def test_a_stale_connection_is_retried_once_if_the_method_is_idempotent(
    no_leaks: None, method: str, content: list[bytes], status: int
) -> None:
    received: list[bytes] = []
    served = 0

    async def script(peer: Peer) -> None:
        nonlocal served
        served += 1
        await peer.read_request()
        peer.send(HELLO)
        if served == 1:  # the second request finds a closing connection
            received.append(await peer.reader.readuntil(b"\r\n\r\n"))
        else:
            await peer.wait_closed()

    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.get()
        assert await caller.read_body() == b"hello"
        head = f"{method} /service/x HTTP/1.1\r\nHost: gateway\r\n"
        head += f"Content-Length: {len(b''.join(content))}\r\n\r\n"
        caller.send(head.encode() + content[0])
        for piece in content[1:]:
            await wait_until(lambda: received)
            caller.send(piece)
        assert (await caller.read_head()).startswith(b"HTTP/1.1 %d " % status)


async def test_only_the_typed_client_and_its_proxied_routes_share_a_transport() -> None:
    async with serve_proxy(respond_with(HELLO)) as proxy:
        assert proxy.pool.is_empty
        caller = await proxy.connect()
        caller.get()
        assert await caller.read_body() == b"hello"
        await asyncio.sleep(0)
        assert not proxy.pool.is_empty


TRAILERS = b"5\r\nhello\r\n0\r\nX-Checksum: abc\r\nContent-Type: text/html\r\nX-User-Id: 1\r\n\r\n"


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("accepts", [False, True])
async def test_trailers_go_back_to_a_caller_that_accepts_them(
    no_leaks: None, is_cut: bool, accepts: bool
) -> None:
    requests = []

    async def script(peer: Peer) -> None:
        requests.append(await peer.read_request())
        await peer.drip([CHUNKED, TRAILERS] if is_cut else [CHUNKED + TRAILERS])
        await peer.wait_closed()

    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.get("/service/x", *([b"TE: trailers", b"Connection: TE"] if accepts else []))
        await caller.read_head()
        assert await caller.read(10) == b"5\r\nhello\r\n"
        end = await caller.read_until(b"\r\n\r\n")
    trailers = b"0\r\nx-checksum: abc\r\nx-user-id: 1\r\n\r\n"
    assert end == (trailers if accepts else b"0\r\n\r\n")
    assert (b"\r\nte: trailers\r\nconnection: te\r\n" in requests[0]) == accepts


async def test_trailers_are_dropped_for_a_server_without_extensions(no_leaks: None) -> None:
    async with serve_proxy(respond_with(CHUNKED + TRAILERS)) as proxy:
        transport = httpx.ASGITransport(proxy.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            response = await client.get("/service/x")
    assert (response.status_code, response.text) == (200, "hello")


async def test_trailers_of_a_caller_go_on_without_an_identity(no_leaks: None) -> None:
    received = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        received.set_result(await peer.reader.readuntil(b"\r\n\r\n"))
        peer.send(HELLO)
        await peer.wait_closed()

    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.get("/service/x", b"Transfer-Encoding: chunked", method="POST")
        caller.send(TRAILERS)
        assert await caller.read_body() == b"hello"
    assert received.result() == b"5\r\nhello\r\n0\r\nx-checksum: abc\r\n\r\n"


@pytest.mark.parametrize("is_cut", [False, True])
async def test_the_route_sets_and_removes_fields_of_both_messages(
    no_leaks: None, is_cut: bool
) -> None:
    requests = []
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Backend: 7\r\n\r\n"
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nX-Backend: 7\r\nX-Frame-Options: a\r\n\r\n")
    end = TRAILERS.replace(b"X-Checksum", b"X-Backend", 1)

    async def script(peer: Peer) -> None:
        requests.append(await peer.read_request())
        await peer.drip([hints, head, end] if is_cut else [hints, head + end])
        await peer.wait_closed()

    options: dict[str, Any] = {
        "set_headers": {"X-Tenant": "acme"},
        "set_response_headers": {"X-Frame-Options": "DENY"},
        "remove_response_headers": ["x-backend"],
    }
    async with serve_proxy(script, **options) as proxy:
        caller = await proxy.connect()
        caller.get("/service/x", b"TE: trailers", b"Connection: TE", b"X-Tenant: other")
        interim = await caller.read_head()
        final = await caller.read_head()
        body = await caller.read_until(b"0\r\n") + await caller.read_until(b"\r\n\r\n")
    assert requests[0].count(b"\r\nx-tenant: ") == 1
    assert b"\r\nx-tenant: acme\r\n" in requests[0]
    assert b"\r\nlink: " in interim
    assert b"x-frame-options" not in interim
    assert final.count(b"\r\nx-frame-options: ") == 1
    assert b"\r\nx-frame-options: DENY\r\n" in final
    assert b"x-backend" not in interim + final + body


async def test_interim_responses_reach_the_caller(no_leaks: None) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    async with serve_proxy(respond_with(hints + HELLO)) as proxy:
        caller = await proxy.connect()
        caller.get()
        head = await caller.read_head()
        assert head.startswith(b"HTTP/1.1 103 ")
        assert b"\r\nlink: " in head
        assert await caller.read_body() == b"hello"


async def test_the_trailers_of_one_caller_never_reach_another(no_leaks: None) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(CHUNKED + b"5\r\nhello\r\n0\r\nX-Secret: of the first\r\n\r\n")
        await peer.read_request()
        peer.send(OK + b"Connection: close\r\n\r\nfor the second")  # ends with the connection

    async with serve_proxy(script) as proxy:
        first = await proxy.connect()
        first.get()
        await first.read_until(b"0\r\n\r\n")
        second = await proxy.connect()
        second.get("/service/x", b"TE: trailers", b"Connection: close, te")
        received = await second.read_to_the_end()
        assert proxy.service.connections == 1
    assert b"for the second" in received
    assert b"secret" not in received.lower()
