"""Pipelined requests: each valid one gets its response, in order, and memory stays bounded."""

import asyncio
import json
from contextvars import ContextVar

import pytest
from starlette.types import Receive, Scope, Send

from gateway.server import pipelining
from tests.gateway.server.in_memory import (
    GET,
    POST,
    RESPONSE,
    Client,
    Echo,
    body,
    build_request,
    start,
)

LAST = build_request(b"/last", b"Host: x\r\nConnection: close\r\n")


async def send_all(client: Client, sent: bytes) -> bytes:
    """Send as a socket does: nothing while the server does not read. Wait for all responses."""
    for begin in range(0, len(sent), 65_536):
        while not client.is_being_read and client.server.tasks:
            await asyncio.wait(client.server.tasks)
        client.protocol.data_received(sent[begin : begin + 65_536])
    while client.server.tasks:
        await asyncio.wait(client.server.tasks)
    return await client.send()


@pytest.mark.parametrize("count", [1, 17, 18, 200, 3_000])
async def test_any_number_of_requests_in_one_write_is_answered_in_order(count: int) -> None:
    app = Echo()
    client = Client(app)
    sent = b"".join(build_request(b"/%d" % number) for number in range(count))
    response = await send_all(client, sent + LAST)
    assert response.count(b"HTTP/1.1 200 OK") == response.count(b"HTTP/1.1") == count + 1
    assert [scope["path"] for scope, _ in app.seen[:-1]] == [f"/{n}" for n in range(count)]
    assert client.is_closed


async def test_pipelined_bodies_arrive_with_their_requests() -> None:
    app = Echo()
    client = Client(app)
    bodies = [b"%d" % number * (number % 700) for number in range(100)]
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    sent = b"".join(
        POST + (b"Content-Length: %d\r\n\r\n%b" if n % 2 else chunked) % (len(content), content)
        for n, content in enumerate(bodies)
        if content
    )
    await send_all(client, sent + LAST)
    assert [content for _, content in app.seen[:-1]] == [content for content in bodies if content]


async def test_requests_behind_a_slow_one_wait_and_take_bounded_memory() -> None:
    app = Echo()
    app.go.clear()
    client = Client(app)
    sent = 0
    while client.is_being_read:
        await client.send(GET * 1_000)
        sent += 1_000
        assert sent < 3_000
    per_slice = pipelining.PARSE_BYTES // len(GET) + 1
    assert len(client.protocol._pipeline.waiting) <= pipelining.MAX_PIPELINED + per_slice
    assert app.begun == 1
    app.go.set()
    response = await send_all(client, LAST)
    assert response.count(b"HTTP/1.1 200 OK") == sent + 1


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (b"\x00rubbish\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nrubbish\r\n", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200, 431),
    ],
)
@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("is_slow", [True, False])
async def test_good_requests_before_a_bad_one_get_their_responses(
    bad: bytes, status: int, count: int, *, is_slow: bool
) -> None:
    app = Echo()
    client = Client(app)
    if is_slow:
        app.go.clear()
    await client.send(GET * count + bad)
    assert bool(client.received) is not is_slow
    app.go.set()
    response = await send_all(client, GET)
    assert response.startswith(RESPONSE * count + b"HTTP/1.1 %d " % status)
    assert response.count(b"HTTP/1.1 ") == count + 1
    assert json.loads(response.rpartition(b"\r\n\r\n")[2])["status"] == status
    assert client.is_eof_sent
    assert len(app.seen) == count
    await client.disconnect()


async def test_a_pipelined_request_does_not_see_the_context_of_the_one_before() -> None:
    user = ContextVar("user", default="unset")
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(user.get())
        user.set(scope["path"])
        await asyncio.sleep(0)
        await send(start(200, (b"content-length", b"2")))
        await send(body(b"ok"))

    client = Client(app)
    assert await client.send(GET * 3) == RESPONSE * 3
    assert seen == ["unset"] * 3
    await client.disconnect()
