"""Request bodies on their way to the service: both directions at once, early ends, expectations."""

import asyncio
import contextlib
import socket

import pytest

from gateway.proxy import stream_limit
from gateway.proxy.upstream import upload
from tests.gateway.proxy.serve_proxy import Caller, serve_proxy, wait_until
from tests.gateway.transport.scripted_server import HELLO, OK, Peer

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
POST_CHUNKED = b"POST /service/x HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n"
POST_LONG = b"POST /service/x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 400000000\r\n"
EXPECT = b"Expect: 100-continue\r\n"
REFUSAL = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def echo(peer: Peer) -> None:
    """Send each chunk back as it arrives, to the last one."""
    await peer.reader.readuntil(b"\r\n\r\n")
    peer.send(CHUNKED)
    while True:
        size = await peer.reader.readuntil(b"\r\n")
        data = await peer.reader.readexactly(int(size, 16) + 2)
        peer.send(size + data)
        if int(size, 16) == 0:
            break
    await peer.wait_closed()


async def test_both_directions_are_open_at_once(no_leaks: None) -> None:
    async with serve_proxy(echo) as proxy:
        caller = await proxy.connect()
        caller.send(POST_CHUNKED + b"\r\n")
        await caller.read_head()
        for number in range(3):
            chunk = b"1\r\n%d\r\n" % number
            caller.send(chunk)
            assert await caller.read(len(chunk)) == chunk
        caller.send(b"0\r\n\r\n")
        assert await caller.read(5) == b"0\r\n\r\n"
        assert proxy.streams.count == 0


async def send_without_end(caller: Caller) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            caller.send(b"x" * 100_000)
            await caller.writer.drain()


async def get_refusal_while_sending(caller: Caller) -> None:
    caller.send(POST_LONG + b"\r\n")
    sending = asyncio.create_task(send_without_end(caller))
    assert (await caller.read_head()).startswith(b"HTTP/1.1 413 ")
    assert await caller.read(3) == b"big"
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


@pytest.mark.parametrize("ends", ["waits", "reads on"])
async def test_an_early_response_reaches_a_caller_that_still_sends(
    no_leaks: None, ends: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.send(REFUSAL)
        if ends == "reads on":
            await peer.wait_closed()
        elif ends == "waits":
            await asyncio.sleep(0.2)

    async with serve_proxy(script) as proxy:
        await get_refusal_while_sending(await proxy.connect())
        assert proxy.streams.count == 0


async def test_an_early_response_is_read_although_the_service_closes_its_connection(
    no_leaks: None,
) -> None:
    loop = asyncio.get_running_loop()

    async def refuse(listener: socket.socket) -> None:
        while True:
            connection, _ = await loop.sock_accept(listener)
            with connection:
                await loop.sock_recv(connection, 1_000)
                await loop.sock_sendall(connection, REFUSAL)
            # Closed with unread data: the kernel resets the connection.

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        refusing = asyncio.create_task(refuse(listener))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with serve_proxy(echo, service={"url": url}) as proxy:
            for _ in range(5):
                await get_refusal_while_sending(await proxy.connect())
        refusing.cancel()
        await asyncio.gather(refusing, return_exceptions=True)


async def test_the_service_asks_for_the_body(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "CONTINUE_SECONDS", 60)
    heads = []
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        heads.append(await peer.reader.readuntil(b"\r\n\r\n"))
        await asked.wait()
        peer.send(CONTINUE)
        assert await peer.reader.readexactly(5) == b"hello"
        peer.send(HELLO)
        await peer.wait_closed()

    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.get("/service/x", b"Content-Length: 5", EXPECT.strip(), method="PUT")
        await wait_until(lambda: heads)
        asked.set()
        assert await caller.read_head() == CONTINUE
        caller.send(b"hello")
        assert await caller.read_body() == b"hello"
    assert b"\r\nexpect: 100-continue\r\n" in heads[0]


async def test_the_service_refuses_the_body_without_a_byte_of_it(no_leaks: None) -> None:
    rest = []

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.send(REFUSAL)
        rest.append(await peer.reader.read())

    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.send(POST_LONG + EXPECT + b"\r\n")
        assert (await caller.read_head()).startswith(b"HTTP/1.1 413 ")
        assert await caller.read_to_the_end() == b"big"
    assert rest == [b""]


async def test_a_service_that_never_asks_gets_the_body_all_the_same(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "CONTINUE_SECONDS", 0.05)

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(HELLO)
        await peer.wait_closed()

    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.get("/service/x", b"Content-Length: 5", EXPECT.strip(), method="PUT")
        assert await caller.read_head() == CONTINUE
        caller.send(b"hello")
        assert await caller.read_body() == b"hello"


async def test_a_body_may_take_longer_than_the_timeout_of_the_head(no_leaks: None) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.wait_closed()

    async with serve_proxy(script, service={"timeout": 0.1}) as proxy:
        caller = await proxy.connect()
        caller.send(POST_CHUNKED + b"\r\n")
        for _ in range(3):
            await asyncio.sleep(0.08)
            caller.send(b"1\r\na\r\n")
        caller.send(b"0\r\n\r\n")
        assert (await caller.read_head()).startswith(b"HTTP/1.1 504 ")


async def test_a_body_that_is_too_large_ends_the_exchange(no_leaks: None) -> None:
    ended = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.wait_closed()
        ended.set()

    async with serve_proxy(script, max_body_bytes=10) as proxy:
        caller = await proxy.connect()
        caller.send(POST_CHUNKED + b"\r\n5\r\nhello\r\n")
        caller.send(b"6\r\nhello!\r\n")
        assert (await caller.read_head()).startswith(b"HTTP/1.1 413 ")
        await asyncio.wait_for(ended.wait(), 60)
        assert proxy.streams.count == 0


@pytest.mark.parametrize("body", [b"5\r\nhello\r\n0\r\n\r\n", b"6\r\nhello!\r\n0\r\n\r\n"])
async def test_a_body_that_has_arrived_is_sent_without_a_task(no_leaks: None, body: bytes) -> None:
    tasks: set[str] = set()

    async def script(peer: Peer) -> None:
        while await peer.read_request():
            tasks.update(task.get_name() for task in asyncio.all_tasks())
            peer.send(HELLO)

    async with serve_proxy(script, max_body_bytes=5) as proxy:
        caller = await proxy.connect()
        caller.send(POST_CHUNKED + b"\r\n" + body)
        if b"hello!" in body:
            assert (await caller.read_head()).startswith(b"HTTP/1.1 413 ")
            assert proxy.service.connections == 0
        else:
            assert await caller.read_body() == b"hello"
            assert "request" in tasks
            assert "upload" not in tasks


async def test_a_caller_that_leaves_within_its_body_ends_the_exchange(no_leaks: None) -> None:
    ended = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.wait_closed()
        ended.set()

    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.send(POST_LONG + b"\r\n" + b"x" * 1_000)
        await wait_until(lambda: proxy.service.connections)
        caller.writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 60)


async def test_a_service_that_reads_slowly_slows_the_caller_down(no_leaks: None) -> None:
    gone, ended = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await gone.wait()
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await peer.wait_closed()
        ended.set()

    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.send(POST_LONG + b"\r\n")
        sent, before = 0, -1

        async def send() -> None:
            nonlocal sent
            while True:
                caller.send(b"x" * 100_000)
                await caller.writer.drain()
                sent += 1

        sending = asyncio.create_task(send())
        while before != sent:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 300  # the buffers of the kernel are full
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        # The gateway does not read from the caller, and notices its reset all the same. It cannot
        # notice a close: that waits in the caller's kernel, behind what the gateway has not read.
        Peer(caller.reader, caller.writer).reset()
        await wait_until(lambda: proxy.streams.count == 0)
        gone.set()
        await asyncio.wait_for(ended.wait(), 60)


async def test_a_complete_response_ends_an_upload_that_its_caller_still_sends(
    no_leaks: None,
) -> None:
    size = 6_000_000

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        peer.send(OK + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
        await gone.wait()

    gone = asyncio.Event()
    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        caller.send(POST_LONG + b"\r\n")
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 100:
                caller.send(b"x" * 1_000_000)
                await asyncio.wait_for(caller.writer.drain(), 0.5)
                sent += 1
        [connection] = proxy.pool._connections
        assert connection.unacknowledged_bytes < 20_000_000
        assert sent < 100
        gone.set()


async def test_a_short_upload_that_took_long_is_no_stream_afterwards(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time counts while a body is passed on, not while the service works."""
    monkeypatch.setattr(stream_limit, "LONG_SECONDS", 0.2)

    async def script(peer: Peer) -> None:
        await peer.read_request()
        arrived.set()
        await asyncio.sleep(0.4)
        counts.append(proxy.streams.count)
        peer.send(HELLO)
        await peer.wait_closed()

    arrived, counts = asyncio.Event(), list[int]()
    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.send(POST_CHUNKED + b"\r\n1\r\na\r\n")
        await asyncio.sleep(0.02)
        caller.send(b"0\r\n\r\n")
        await arrived.wait()
        assert await caller.read_body() == b"hello"
    assert counts == [0]
