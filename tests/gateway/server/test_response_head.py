"""The framing of a response (RFC 9112, 6), and how an app's failure reaches the client."""

import asyncio
import json

import pytest
from starlette.types import Receive, Scope, Send

from gateway.errors.problem_json import INTERNAL_ERROR
from gateway.request_context import DISCARD_RESPONSE
from gateway.server.response_writer import HEAD_DELAY_SECONDS
from gateway.testing import run_in_virtual_time
from tests.gateway.server.in_memory import HIGH_WATER, Client, body, make_app, start

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH_2 = (b"Content-Length", b"2")
CHUNKED = (b"Transfer-Encoding", b"chunked")
CLOSE = b"connection: close\r\n"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\n"
TE = b"transfer-encoding: chunked\r\n"
CL = b"content-length: 2\r\n"


def is_internal_error(response: bytes) -> bool:
    """Whether the response is the problem document that ends a connection, and nothing else."""
    head, _, content = response.partition(b"\r\n\r\n")
    length = b"content-length: %d" % len(content)
    return (
        head.startswith(FAILED)
        and {length, CLOSE.rstrip()} <= set(head.split(b"\r\n"))
        and json.loads(content)["type"] == INTERNAL_ERROR
    )


@pytest.mark.parametrize(
    ("request_text", "messages", "response"),
    [
        (GET, [start(200, LENGTH_2), body(b"ok")], OK + CL + b"\r\nok"),
        (GET, [start(), body(b"ok")], OK + TE + b"\r\n2\r\nok\r\n0\r\n\r\n"),
        (GET, [start(), body()], OK + TE + b"\r\n0\r\n\r\n"),
        (
            GET,
            [start(), body(b"o", more=True), body(more=True), body(b"k", more=True), body()],
            OK + TE + b"\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        ),
        (GET, [start(200, CHUNKED), body(b"ok")], OK + TE + b"\r\n2\r\nok\r\n0\r\n\r\n"),
        (GET, [start(200, CHUNKED, LENGTH_2), body(b"ok")], OK + CL + b"\r\nok"),
        (GET, [start(200, LENGTH_2, CHUNKED), body(b"ok")], OK + CL + b"\r\nok"),
        (HEAD, [start(200, LENGTH_2), body(b"ok")], OK + CL + b"\r\n"),
        (HEAD, [start(), body(b"ok", more=True), body(b"ok")], OK + b"\r\n"),
        (GET, [start(204, LENGTH_2), body(b"ok")], b"HTTP/1.1 204 No Content\r\n\r\n"),
        (GET, [start(304, LENGTH_2), body(b"ok")], b"HTTP/1.1 304 Not Modified\r\n" + CL + b"\r\n"),
        (GET, [start(299), body()], b"HTTP/1.1 299 \r\n" + TE + b"\r\n0\r\n\r\n"),
    ],
)
async def test_the_body_is_framed_and_the_connection_stays_open(
    request_text: bytes, messages: list[dict[str, object]], response: bytes
) -> None:
    client = Client(make_app(*messages))
    assert await client.send(request_text) == response
    assert await client.send(request_text) == response * 2
    assert not client.is_closed
    await client.disconnect()


@pytest.mark.parametrize("request_text", [OLD, OLD[:-2] + b"Connection: keep-alive\r\n\r\n"])
async def test_http_1_0_gets_no_chunks_and_the_connection_closes(request_text: bytes) -> None:
    parts = body(b"o", more=True), body(b"k")
    assert await Client(make_app(start(), *parts)).send(request_text) == OK + CLOSE + b"\r\nok"
    client = Client(make_app(start(200, LENGTH_2), *parts))
    assert await client.send(request_text) == OK + CL + CLOSE + b"\r\nok"
    assert client.is_closed


@pytest.mark.parametrize(
    ("request_text", "field"),
    [
        (GET, (b"Connection", b"close")),
        (GET, (b"Connection", b"x, Close")),
        (GET[:-2] + b"Connection: close\r\n\r\n", (b"x", b"y")),
    ],
)
async def test_connection_close_from_either_side_closes(
    request_text: bytes, field: tuple[bytes, bytes]
) -> None:
    client = Client(make_app(start(200, LENGTH_2, field), body(b"ok")))
    response = await client.send(request_text + GET)
    assert response.count(b"HTTP/1.1") == 1
    assert response.lower().count(b"close") == 1
    assert client.is_closed


@pytest.mark.parametrize(
    "wrong",
    [
        start(103),
        start(101),
        start(99),
        start(1000),
        start(200, LENGTH_2, LENGTH_2),
        start(200, (b"content-length", b"+2")),
        start(200, (b"content-length", b"1_0")),
        start(200, (b"content-length", b"-1")),
        start(200, (b"content-length", b"9" * 20)),
        start(200, (b"x y", b"z")),
        start(200, (b"", b"z")),
        start(200, (b"x", b"y\r\nz: a")),
        start(200, (b"x", b"\x00")),
        start(200, LENGTH_2),
        body(b"ok"),
        {"type": "http.response.trailers"},
    ],
)
async def test_an_invalid_response_is_a_500_before_a_byte_is_sent(
    wrong: dict[str, object],
) -> None:
    client = Client(make_app(wrong, body(b"too much")))
    assert is_internal_error(await client.send(GET))
    assert client.is_closed


@pytest.mark.parametrize(
    ("parts", "response"),
    [
        ([b"o", b""], OK + CL + b"\r\no"),
        ([b"o", b"k!"], OK + CL + b"\r\no"),
    ],
)
async def test_a_body_of_another_length_aborts_the_response(
    parts: list[bytes], response: bytes
) -> None:
    pieces = [body(part, more=True) for part in parts[:-1]]
    client = Client(make_app(start(200, LENGTH_2), *pieces, body(parts[-1])))
    assert await client.send(GET) == response
    assert client.is_closed


@pytest.mark.parametrize("content", [b"o", b"ok!"])
async def test_a_body_of_another_length_is_a_500_before_a_byte_is_sent(content: bytes) -> None:
    client = Client(make_app(start(200, LENGTH_2), body(content)))
    assert is_internal_error(await client.send(GET))
    assert client.is_closed


async def failing_early(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ValueError("early")


async def failing_late(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(start())
    raise ValueError("late")


async def ending(_scope: Scope, _receive: Receive, _send: Send) -> None:
    pass


@pytest.mark.parametrize("app", [failing_early, failing_late, ending, make_app(start())])
async def test_an_app_that_fails_before_its_head_has_left_is_500(app: object) -> None:
    client = Client(app)  # type: ignore[arg-type]
    assert is_internal_error(await client.send(GET))
    assert client.is_closed


async def test_an_app_that_fails_in_the_body_leaves_it_unfinished() -> None:
    client = Client(make_app(start(), body(b"half", more=True)))
    assert await client.send(GET) == OK + TE + b"\r\n4\r\nhalf\r\n"
    assert client.is_closed


async def test_the_head_is_sent_when_the_body_takes_long() -> None:
    go = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start())
        await go.wait()
        await send(body(b"ok"))

    client = Client(app)
    assert await client.send(GET) == b""
    await asyncio.sleep(2 * HEAD_DELAY_SECONDS)
    assert await client.send(b"") == OK + TE + b"\r\n"
    go.set()
    assert await client.send(b"") == OK + TE + b"\r\n2\r\nok\r\n0\r\n\r\n"
    await client.disconnect()


def test_the_delay_of_a_head_begins_again_when_it_replaces_another() -> None:
    written: list[tuple[float, bytes]] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start(503))
        await asyncio.sleep(HEAD_DELAY_SECONDS / 2)
        await send({"type": DISCARD_RESPONSE})
        await send(start())
        await asyncio.sleep(2 * HEAD_DELAY_SECONDS)
        await send(body(b"ok"))

    async def serve() -> None:
        client = Client(app)
        for _ in range(8):
            at = asyncio.get_running_loop().time() / HEAD_DELAY_SECONDS
            written.append((at, await client.send(*() if written else [GET])))
            await asyncio.sleep(HEAD_DELAY_SECONDS / 4)
        await client.disconnect()

    run_in_virtual_time(serve())
    head_written_at = next(at for at, response in written if response)
    assert head_written_at == pytest.approx(1.5)
    assert written[-1][1].startswith(OK)


async def test_a_response_can_be_discarded_until_a_byte_of_it_is_sent() -> None:
    too_late = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": DISCARD_RESPONSE})
        await send(start(503))
        await send({"type": DISCARD_RESPONSE})
        await send(start(200, LENGTH_2))
        await send(body(b"o", more=True))
        try:
            await send({"type": DISCARD_RESPONSE})
        except RuntimeError:
            too_late.append(True)
        await send(body(b"k"))

    client = Client(app)
    assert await client.send(GET) == OK + CL + b"\r\nok"
    assert too_late
    await client.disconnect()


async def test_messages_after_the_end_are_refused_and_not_sent() -> None:
    refused = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in (start(200, LENGTH_2), start(), body(b"ok"), body(b"!"), start()):
            try:
                await send(message)
            except RuntimeError:
                refused.append(message["type"])

    client = Client(app)
    assert await client.send(GET) == OK + CL + b"\r\nok"
    assert refused == ["http.response.start", "http.response.body", "http.response.start"]
    await client.disconnect()


async def test_a_client_that_does_not_read_pauses_the_app() -> None:
    piece, sent = b"x" * 10_000, 0

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        nonlocal sent
        await send(start())
        for _ in range(100):
            await send(body(piece, more=True))
            sent += 1
        await send(body())

    client = Client(app)
    client.reads_response = False
    await client.send(GET)
    assert 0 < len(client.received) < HIGH_WATER + 2 * len(piece)
    assert sent < 10
    await client.read_all()
    assert sent == 100
    assert client.received.endswith(b"0\r\n\r\n")
    await client.disconnect()


async def test_a_disconnect_ends_an_app_that_waits_to_send() -> None:
    ended = asyncio.Event()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            await send(start())
            while True:
                await send(body(b"x" * 10_000, more=True))
        finally:
            ended.set()

    client = Client(app)
    client.reads_response = False
    await client.send(GET)
    assert not ended.is_set()
    await client.disconnect()
    assert ended.is_set()
    assert not client.server.tasks
