"""Trailers in both directions, interim responses, and large pieces of a response body."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.http1_grammar import MAX_FIELDS
from tests.gateway.server.in_memory import (
    POST,
    Client,
    body,
    build_request,
    make_app,
    start,
)

TRAILERS_ACCEPTED = b"Host: x\r\nTE: gzip , Trailers\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EXPECTS = POST + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n"


def start_with_trailers(*fields: tuple[bytes, bytes]) -> Message:
    return {**start(200, *fields), "trailers": True}


def trailers(*fields: tuple[bytes, bytes], more: bool = False) -> Message:
    return {"type": "http.response.trailers", "headers": list(fields), "more_trailers": more}


def interim(status: int, *fields: tuple[bytes, bytes]) -> Message:
    return {"type": "lockgate.response.interim", "status": status, "headers": list(fields)}


async def exchange(request_text: bytes, *messages: Message) -> bytes:
    """Return what the server sends for these messages of an app."""
    client = Client(make_app(*messages))
    response = await client.send(request_text)
    await client.disconnect()
    return response


async def test_trailers_follow_a_chunked_body() -> None:
    response = await exchange(
        build_request(b"/", TRAILERS_ACCEPTED),
        start_with_trailers(),
        body(b"ok", more=True),
        body(b"!"),
        trailers((b"X-Sum", b"1"), more=True),
        trailers((b"x-b", b"2"), (b"Content-Length", b"9")),
    )
    assert response.endswith(b"2\r\nok\r\n1\r\n!\r\n0\r\nx-sum: 1\r\nx-b: 2\r\n\r\n")


@pytest.mark.parametrize(
    ("request_text", "field", "end"),
    [
        (build_request(b"/"), (b"a", b"b"), b"2\r\nok\r\n0\r\n\r\n"),
        (build_request(b"/", TRAILERS_ACCEPTED), (b"content-length", b"2"), b"\r\n\r\nok"),
        (build_request(b"/", TRAILERS_ACCEPTED, b"HEAD"), (b"a", b"b"), b"a: b\r\n\r\n"),
        (b"GET / HTTP/1.0\r\nTE: trailers\r\n\r\n", (b"a", b"b"), b"\r\n\r\nok"),
    ],
    ids=["not accepted", "length", "HEAD", "HTTP/1.0"],
)
async def test_trailers_that_the_client_cannot_get_are_dropped(
    request_text: bytes, field: tuple[bytes, bytes], end: bytes
) -> None:
    messages = start_with_trailers(field), body(b"ok"), trailers((b"x-sum", b"1"))
    response = await exchange(request_text, *messages)
    assert response.endswith(end)
    assert b"x-sum" not in response


@pytest.mark.parametrize(
    "fields",
    [
        [(b"a b", b"")],
        [(b"a", b"b\r\nc: d")],
        [(b"a", b"b")] * (MAX_FIELDS + 1),
        [(b"a", b"b" * 70_000)],
    ],
    ids=["name", "value", "count", "length"],
)
async def test_bad_trailers_end_the_connection_without_the_end_of_the_body(
    fields: list[tuple[bytes, bytes]],
) -> None:
    response = await exchange(
        build_request(b"/", TRAILERS_ACCEPTED),
        start_with_trailers(),
        body(b"ok"),
        trailers(*fields),
    )
    assert response.endswith(b"2\r\nok\r\n")


async def test_the_app_gets_the_trailers_of_a_request_apart_from_its_headers() -> None:
    received: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (b"x-sum", b"1") not in scope["headers"]
        received.append(await receive())
        while received[-1]["more_body"]:
            received.append(await receive())
        await send(start(200, (b"content-length", b"0")))
        await send(body())

    client = Client(app)
    await client.send(CHUNKED + b"2\r\nok\r\n", b"0\r\nX-Sum: 1 \r\nA: \r\n\r\n")
    await client.send(CHUNKED + b"2\r\nok\r\n0\r\n\r\n")
    with_trailers, without = received[1], received[2]
    assert with_trailers["trailers"] == [(b"x-sum", b"1"), (b"a", b"")]
    assert without == {"type": "http.request", "body": b"ok", "more_body": False}
    await client.disconnect()


async def test_interim_responses_precede_the_response() -> None:
    hints = interim(103, (b"Link", b"</a.css>; rel=preload"), (b"content-length", b"1"))
    messages = hints, interim(102), start(200, (b"content-length", b"2")), body(b"ok")
    response = await exchange(build_request(b"/"), *messages)
    assert response.startswith(
        b"HTTP/1.1 103 \r\nlink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 200 OK"
    )
    old = await exchange(b"GET / HTTP/1.0\r\n\r\n", *messages)
    assert old.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("status", [99, 101, 200])
async def test_an_interim_response_with_another_status_is_a_500(status: int) -> None:
    response = await exchange(build_request(b"/"), interim(status))
    assert response.startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize(
    ("sent", "count"),
    [(EXPECTS, 1), (EXPECTS + b"four", 0), (POST + b"Content-Length: 4\r\n\r\n", 0)],
)
async def test_the_app_sends_100_continue_itself_once_and_only_if_needed(
    sent: bytes, count: int
) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send(interim(100))
        await send(interim(100))
        while (await receive())["more_body"]:
            pass
        await send(start(200, (b"content-length", b"2")))
        await send(body(b"ok"))

    client = Client(app)
    response = await client.send(sent, *([] if sent.endswith(b"four") else [b"four"]))
    assert response.count(CONTINUE) == count
    assert response.endswith(b"\r\n\r\nok")
    await client.disconnect()


async def test_large_pieces_are_framed_as_small_ones_are() -> None:
    large = b"x" * 100_000
    chunked = await exchange(build_request(b"/"), start(), body(large, more=True), body(b"y"))
    assert chunked.endswith(b"\r\n\r\n186a0\r\n" + large + b"\r\n1\r\ny\r\n0\r\n\r\n")
    last = await exchange(build_request(b"/"), start(), body(large))
    assert last.endswith(b"\r\n\r\n186a0\r\n" + large + b"\r\n0\r\n\r\n")
    length = (b"content-length", b"100000")
    plain = await exchange(build_request(b"/"), start(200, length), body(large))
    assert plain.endswith(b"content-length: 100000\r\n\r\n" + large)
