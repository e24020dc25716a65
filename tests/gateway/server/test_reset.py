"""A client that has not received all of a response gets a reset, unless the framing says so."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.server.connections import ClientTimeouts
from tests.gateway.server.in_memory import Client, Echo, body, start
from tests.gateway.server.serve_app import serve_app

TIMEOUT_SECONDS = 10
HTTP_1_0 = b"GET / HTTP/1.0\r\n\r\n"
HTTP_1_1 = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HASTY = ClientTimeouts(idle=0.2, head=0.1, stall=0.1)


async def fail_in_the_body(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(start())
    await send(body(b"half", more=True))
    raise ValueError("broken")


async def return_in_the_body(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(start())
    await send(body(b"half", more=True))


async def wait_in_the_body(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(start())
    await send(body(b"half", more=True))
    await asyncio.sleep(60)


async def fail_after_the_length(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(start(200, (b"content-length", b"9")))
    await send(body(b"half", more=True))
    raise ValueError("broken")


async def stream_without_end(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(start())
    while True:
        await send(body(b"x" * 65_536, more=True))


async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(start())
    await send(body(b"whole"))


@asynccontextmanager
async def connect(app: ASGIApp, sent: bytes) -> AsyncIterator[socket.socket]:
    """Send a request, on a socket that nothing reads from."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(TIMEOUT_SECONDS), serve_app(app, timeouts=HASTY) as port:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", port))
            await loop.sock_sendall(client, sent)
            yield client


async def read_all(client: socket.socket, pieces: list[bytes] | None = None) -> bytes:
    """Return what is received until the end; `pieces` also has what is received before a reset."""
    pieces = [] if pieces is None else pieces
    loop = asyncio.get_running_loop()
    while piece := await loop.sock_recv(client, 65_536):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize(
    ("app", "sent"),
    [
        (fail_in_the_body, HTTP_1_0),
        (return_in_the_body, HTTP_1_0),
    ],
    ids=["fails", "returns"],
)
async def test_a_truncated_response_without_a_length_ends_with_a_reset(
    app: ASGIApp, sent: bytes
) -> None:
    async with connect(app, sent) as client:
        with pytest.raises(ConnectionResetError):
            await read_all(client)


async def test_a_client_that_ends_its_side_gets_no_end_of_a_truncated_response() -> None:
    async with connect(wait_in_the_body, HTTP_1_0) as client:
        received = await asyncio.get_running_loop().sock_recv(client, 65_536)
        assert received.endswith(b"half")
        client.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            await read_all(client)


@pytest.mark.parametrize(
    ("app", "sent", "end"),
    [
        (fail_in_the_body, HTTP_1_1, b"4\r\nhalf\r\n"),
        (fail_after_the_length, HTTP_1_0, b"half"),
        (respond, HTTP_1_0, b"whole"),
        (fail_in_the_body, HTTP_1_0.replace(b"GET", b"HEAD"), b"\r\n\r\n"),
    ],
    ids=["chunked", "with a length", "complete", "HEAD"],
)
async def test_what_cannot_be_mistaken_ends_without_a_reset(
    app: ASGIApp, sent: bytes, end: bytes
) -> None:
    async with connect(app, sent) as client:
        assert (await read_all(client)).endswith(end)


@pytest.mark.parametrize("sent", [HTTP_1_0, HTTP_1_1])
async def test_a_client_that_does_not_read_gets_a_reset_and_the_kernel_holds_nothing(
    sent: bytes,
) -> None:
    async with connect(stream_without_end, sent) as client:
        await wait_for_reset(client)
        pieces: list[bytes] = []
        with pytest.raises(ConnectionResetError):
            await read_all(client, pieces)
        assert sum(map(len, pieces)) < 1_000_000  # what the client's own buffer held


async def wait_for_reset(client: socket.socket) -> None:
    """Wait until the kernel has received the reset, without reading (tcp(7), TCP_INFO)."""
    for _ in range(1_000):
        state = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        if state != 1:  # TCP_ESTABLISHED
            return
        await asyncio.sleep(0.005)
    pytest.fail("the connection was not reset")


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The bytes that the client has not received at each look of the server."""
    counts: list[int] = []
    monkeypatch.setattr(
        "gateway.server.flow_control.count_bytes_in_kernel", lambda _transport: counts.pop(0)
    )
    yield counts
    assert not counts


async def test_a_client_that_reads_its_last_response_is_not_reset(unread: list[int]) -> None:
    client = Client(Echo())
    await client.send(b"\x00")
    closing = client.connections.closing
    unread += [900_000, 800_000, 799_000]
    now = asyncio.get_running_loop().time()
    for look, is_closed in enumerate((False, False, True), start=1):
        entry = closing.find_oldest()
        assert entry is not None
        client.connections.expire(max(now, entry[0]) + look * closing.seconds)
        assert client.is_closed is is_closed
    await client.disconnect()
