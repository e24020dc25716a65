"""Streamed responses: pieces pass at once, ends are visible, and neither side is left behind."""

import asyncio
import logging
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from gateway.proxy import stream_limit
from gateway.proxy.forwarding import Forwarding
from tests.gateway.proxy.serve_proxy import Caller, ServedProxy, serve_proxy, wait_until
from tests.gateway.transport.scripted_server import HELLO, OK, Peer, respond_with

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EVENTS = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b"data: 1\n\n"
CHUNK = b"9\r\n" + EVENT + b"\r\n"
LONG = OK + b"Content-Length: 1000000\r\n\r\n"


class Streaming:
    """A script that sends a head, then what the test puts into `pieces`; None closes."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.peer: Peer | None = None

    async def __call__(self, peer: Peer) -> None:
        try:
            await peer.read_request()
            self.peer = peer
            peer.send(self.head)
            self.begun.set()
            sending = asyncio.create_task(self._send(peer))
            try:
                await peer.wait_closed()
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        finally:
            self.ended.set()

    async def _send(self, peer: Peer) -> None:
        while (piece := await self.pieces.get()) is not None:
            peer.send(piece)
        peer.writer.close()


async def begin(proxy: ServedProxy, service: Streaming, piece: bytes = CHUNK) -> Caller:
    """Begin a stream, and read its head and its first piece."""
    caller = await proxy.connect()
    caller.get()
    service.pieces.put_nowait(piece)
    await caller.read_head()
    assert await caller.read(len(piece)) == piece
    return caller


async def test_events_pass_one_by_one_and_the_exchange_is_a_stream(no_leaks: None) -> None:
    service = Streaming(EVENTS)
    async with serve_proxy(service) as proxy:
        caller = await proxy.connect()
        caller.get()
        await service.begun.wait()
        service.pieces.put_nowait(CHUNK)
        assert b"x-accel-buffering: no" in await caller.read_head()
        for _ in range(3):
            assert await caller.read(len(CHUNK)) == CHUNK
            service.pieces.put_nowait(CHUNK)
        assert await caller.read(len(CHUNK)) == CHUNK
        assert proxy.streams.count == 1
        service.pieces.put_nowait(b"0\r\n\r\n")
        assert await caller.read(5) == b"0\r\n\r\n"
        caller.get()  # both connections go on
        service.pieces.put_nowait(None)
        assert proxy.streams.count == 0


async def test_a_stream_counts_against_its_own_cap_alone(no_leaks: None) -> None:
    services = [Streaming(EVENTS), Streaming(EVENTS), Streaming(EVENTS)]
    waiting = list(services)

    async def script(peer: Peer) -> None:
        if waiting:
            await waiting.pop(0)(peer)
        else:
            await respond_with(HELLO, HELLO)(peer)

    bounds = {"max_in_flight": 1, "max_streams": 2, "max_streams_per_caller": 2}
    async with serve_proxy(script, server=bounds, service={"max_connections": 1}) as proxy:
        for service in services[:2]:
            await begin(proxy, service)
        refused = await proxy.connect()
        refused.get()
        assert (await refused.read_head()).startswith(b"HTTP/1.1 429 ")
        assert await asyncio.wait_for(services[2].ended.wait(), 60)
        caller = await proxy.connect()
        caller.get()
        assert await caller.read_body() == b"hello"
        assert proxy.streams.count == 2
        services[0].pieces.put_nowait(b"0\r\n\r\n")
        caller.get()
        assert await caller.read_body() == b"hello"


async def test_a_request_that_was_carried_out_is_not_refused_for_its_stream(
    no_leaks: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    services = [Streaming(EVENTS), Streaming(EVENTS), Streaming(EVENTS)]
    waiting = list(services)

    async def script(peer: Peer) -> None:
        await waiting.pop(0)(peer)

    async with serve_proxy(script, server={"max_streams": 1}) as proxy:
        await begin(proxy, services[0])
        caller = await proxy.connect()
        caller.send(b"POST /service/x HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n\r\n")
        services[1].pieces.put_nowait(CHUNK)
        assert (await caller.read_head()).startswith(b"HTTP/1.1 200 ")
        assert await caller.read(len(CHUNK)) == CHUNK
        assert (proxy.streams.count, proxy.streams.excess, proxy.in_flight) == (1, 1, 0)
        refused = await proxy.connect()
        refused.get()
        assert (await refused.read_head()).startswith(b"HTTP/1.1 429 ")
    explanations = [vars(record)["fields"].get("explanation") for record in caplog.records]
    assert "server.max_streams_per_caller allows 1 streams" in explanations


async def test_a_short_body_of_unknown_length_needs_no_place_for_a_stream(no_leaks: None) -> None:
    events, body = Streaming(EVENTS), Streaming(CHUNKED)
    waiting = [events, body]

    async def script(peer: Peer) -> None:
        await waiting.pop(0)(peer)

    async with serve_proxy(script, server={"max_streams": 1}) as proxy:
        await begin(proxy, events)
        caller = await begin(proxy, body)
        assert proxy.in_flight == 1
        body.pieces.put_nowait(b"0\r\n\r\n")
        assert await caller.read(5) == b"0\r\n\r\n"
        assert proxy.streams.count == 1


LONG_CHUNK = b"40001\r\n%b\r\n" % (b"x" * 0x40001)


@pytest.mark.parametrize("piece", [CHUNK, LONG_CHUNK])
async def test_a_body_becomes_a_stream_when_it_turns_out_to_be_long(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch, piece: bytes
) -> None:
    monkeypatch.setattr(stream_limit, "LONG_SECONDS", 0.05 if piece is CHUNK else 60)
    service = Streaming(CHUNKED)
    async with serve_proxy(service, service={"max_connections": 1}) as proxy:
        caller = await proxy.connect()
        caller.get()
        service.pieces.put_nowait(piece)
        await caller.read_head()
        await wait_until(lambda: proxy.streams.count)
        assert proxy.in_flight == 0
        assert proxy.pool._size == 0
        service.pieces.put_nowait(b"0\r\n\r\n")
        await caller.read_until(b"\r\n0\r\n\r\n")
        await wait_until(lambda: not proxy.streams.count)


@pytest.mark.parametrize("seconds", [0.02, 60])
async def test_a_body_that_has_begun_goes_on_without_a_place_and_takes_none_of_others(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(stream_limit, "LONG_SECONDS", seconds)
    events, body = Streaming(EVENTS), Streaming(CHUNKED)
    waiting = [events, body]

    async def script(peer: Peer) -> None:
        if waiting:
            await waiting.pop(0)(peer)
        else:
            await respond_with(HELLO, HELLO)(peer)

    bounds = {"max_streams": 1, "max_in_flight": 1}
    async with serve_proxy(script, server=bounds, service={"max_connections": 1}) as proxy:
        first = await begin(proxy, events)
        caller = await begin(proxy, body)
        if seconds == 60:
            body.pieces.put_nowait(LONG_CHUNK)
        await wait_until(lambda: proxy.streams.excess == 1)
        assert (proxy.streams.count, proxy.in_flight, proxy.pool._size) == (1, 0, 0)
        other = await proxy.connect()
        other.get()
        assert await other.read_body() == b"hello"
        events.pieces.put_nowait(b"0\r\n\r\n")
        assert await first.read(5) == b"0\r\n\r\n"
        body.pieces.put_nowait(b"0\r\n\r\n")
        await caller.read_until(b"0\r\n\r\n")
        await wait_until(lambda: proxy.streams.count == proxy.streams.excess == 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"remove_response_headers": ["content-type"]},
        {"set_response_headers": {"Content-Type": "text/plain"}},
    ],
)
async def test_events_are_a_stream_whatever_the_route_makes_of_their_type(
    no_leaks: None, changes: dict[str, Any]
) -> None:
    service = Streaming(EVENTS.replace(b"Content-Type", b"content-TYPE"))
    async with serve_proxy(service, total_timeout=0.3, **changes) as proxy:
        caller = await begin(proxy, service)
        assert (proxy.streams.count, proxy.in_flight) == (1, 0)
        assert await caller.read(5) == b"0\r\n\r\n"  # it ends between two events


@pytest.mark.parametrize("head", [EVENTS, CHUNKED])
async def test_a_response_that_is_never_sent_gives_up_its_connection(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    reached = asyncio.Event()
    serve = Forwarding.serve

    async def serve_slowly(self: Forwarding, request: Request) -> Response:
        response = await serve(self, request)
        reached.set()
        await asyncio.Event().wait()  # as the cleanup of a dependency may
        return response

    monkeypatch.setattr(Forwarding, "serve", serve_slowly)
    service = Streaming(head)
    async with serve_proxy(service) as proxy:
        caller = await proxy.connect()
        caller.get()
        await reached.wait()
        caller.writer.transport.abort()
        await asyncio.wait_for(service.ended.wait(), 60)
        await wait_until(lambda: proxy.streams.count == 0 and proxy.pool.is_empty)


@pytest.mark.parametrize("head", [CHUNKED, LONG])
@pytest.mark.parametrize("is_reset", [False, True])
async def test_a_body_that_the_service_cuts_off_never_looks_complete(
    no_leaks: None, caplog: pytest.LogCaptureFixture, head: bytes, is_reset: bool
) -> None:
    service = Streaming(head)
    async with serve_proxy(service) as proxy:
        with caplog.at_level(logging.WARNING, "lockgate.proxy"):
            caller = await begin(proxy, service)
            if is_reset:
                assert service.peer is not None
                service.peer.reset()
            else:
                service.pieces.put_nowait(None)
            try:
                rest = await caller.read_to_the_end()
            except ConnectionError:
                rest = b""
        assert rest == b""
        assert proxy.streams.count == 0
    (record,) = caplog.records
    assert record.getMessage().startswith("proxy.response_truncated ")


async def test_a_service_that_ends_before_the_first_byte_of_the_body_is_an_error(
    no_leaks: None,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(CHUNKED)

    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.get()
        assert (await caller.read_head()).startswith(b"HTTP/1.1 503 ")


async def test_the_end_of_the_caller_closes_the_connection_to_the_service(
    no_leaks: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate")
    service = Streaming(EVENTS)
    async with serve_proxy(service) as proxy:
        caller = await begin(proxy, service)
        caller.writer.transport.abort()
        await asyncio.wait_for(service.ended.wait(), 60)
        await wait_until(lambda: proxy.in_flight == proxy.streams.count == 0)
    assert not [it for it in caplog.records if it.message.startswith("proxy.response_truncated ")]
    [line] = [vars(it)["fields"] for it in caplog.records if it.name == "lockgate.access"]
    assert line["status"] == 499


async def test_an_idle_stream_ends_and_a_quiet_one_lives(
    no_leaks: None, caplog: pytest.LogCaptureFixture
) -> None:
    service = Streaming(EVENTS)
    async with serve_proxy(service, service={"timeout": 0.05}, idle_timeout=0.15) as proxy:
        caller = await begin(proxy, service)
        for _ in range(3):  # longer than the timeout of the head, and than idle_timeout in all
            await asyncio.sleep(0.08)
            service.pieces.put_nowait(CHUNK)
            assert await caller.read(len(CHUNK)) == CHUNK
        assert await caller.read_to_the_end() == b""
        await asyncio.wait_for(service.ended.wait(), 60)
    (reason,) = [
        vars(record)["fields"]["reason"]
        for record in caplog.records
        if record.getMessage().startswith("proxy.response_truncated ")
    ]
    assert "0.15 s given" in reason  # idle_timeout


async def test_a_slow_reader_slows_the_service_down(no_leaks: None) -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.read_request()
        peer.send(OK + b"Content-Length: 1000000000\r\n\r\n")
        piece = b"x" * 1_000_000
        while sent < 1_000:
            peer.send(piece)
            await peer.writer.drain()
            sent += 1

    async with serve_proxy(script) as proxy:
        caller = await proxy.connect()
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        caller.get()
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 100  # the rest waits in the service: the buffers of the kernel are full


async def test_a_shutdown_at_the_very_end_of_a_stream_ends_the_others(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timeout of a stream has expired, and its task has not run since."""
    timeouts = list[asyncio.Timeout]()

    def timeout_at(when: float | None) -> asyncio.Timeout:
        timeouts.append(asyncio.Timeout(when))
        return timeouts[-1]

    service = Streaming(EVENTS)
    async with serve_proxy(service) as proxy:
        monkeypatch.setattr(asyncio, "timeout_at", timeout_at)
        caller = await begin(proxy, service)
        timeout = timeouts[-1]
        timeout.reschedule(0)
        while not timeout.expired():  # noqa: ASYNC110
            await asyncio.sleep(0)
        called = list[bool]()
        proxy.server._notice.add(lambda: called.append(True))
        proxy.server._notice.give()
        assert called == [True]
        assert await caller.read_until(b"0\r\n\r\n") == b"0\r\n\r\n"
