"""`total_timeout` bounds every exchange: before the head, and while a body is passed on."""

import asyncio
import logging

import pytest

from tests.gateway.proxy.serve_proxy import serve_proxy
from tests.gateway.proxy.test_proxied_stream import CHUNK, CHUNKED, EVENTS, LONG, Streaming, begin
from tests.gateway.transport.scripted_server import HELLO, Peer


async def test_the_total_timeout_ends_events_between_two_of_them(no_leaks: None) -> None:
    service = Streaming(EVENTS)
    async with serve_proxy(service, total_timeout=0.1) as proxy:
        caller = await begin(proxy, service)
        assert await caller.read(5) == b"0\r\n\r\n"
        await asyncio.wait_for(service.ended.wait(), 60)


async def test_events_end_with_their_trailers_if_the_caller_accepts_them(
    no_leaks: None, caplog: pytest.LogCaptureFixture
) -> None:
    service = Streaming(EVENTS)
    async with serve_proxy(service, total_timeout=0.2) as proxy:
        caller = await proxy.connect()
        caller.get("/service/x", b"TE: trailers", b"Connection: te")
        service.pieces.put_nowait(CHUNK)
        await caller.read_head()
        assert await caller.read(len(CHUNK) + 5) == CHUNK + b"0\r\n\r\n"
        caller.get("/service/x")  # the connection goes on
        service.pieces.put_nowait(CHUNK)
        assert (await caller.read_head()).startswith(b"HTTP/1.1 200 ")
    assert not [it for it in caplog.records if it.message.startswith("app.failed")]


@pytest.mark.parametrize(
    ("piece", "has_ended"),
    [
        (b"data: 1\n\r\n", True),
        (b"data: 1\r\n\n", True),
        (b"data: 1\n\r", True),
        (b"data: 1\r\r\n", True),
        (b"data: 1\r\n", False),
    ],
)
async def test_the_line_ends_of_an_event_may_be_mixed(
    no_leaks: None, piece: bytes, has_ended: bool
) -> None:
    service, chunk = Streaming(EVENTS), b"%x\r\n%b\r\n" % (len(piece), piece)
    async with serve_proxy(service, total_timeout=0.1) as proxy:
        caller = await begin(proxy, service, chunk)
        if has_ended:
            assert await caller.read(5) == b"0\r\n\r\n"
        else:
            assert await caller.read_to_the_end() == b""


async def test_an_event_whose_empty_line_arrives_alone_has_ended(no_leaks: None) -> None:
    service, line, empty = Streaming(EVENTS), b"8\r\ndata: 1\n\r\n", b"1\r\n\n\r\n"
    async with serve_proxy(service, total_timeout=0.3) as proxy:
        caller = await begin(proxy, service, line)
        service.pieces.put_nowait(empty)
        assert await caller.read(len(empty) + 5) == empty + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece"), [(EVENTS, b"5\r\ndata:\r\n"), (CHUNKED, CHUNK), (LONG, b"abc")]
)
async def test_the_total_timeout_breaks_any_other_body(
    no_leaks: None, head: bytes, piece: bytes
) -> None:
    service = Streaming(head)
    async with serve_proxy(service, total_timeout=0.1) as proxy:
        caller = await begin(proxy, service, piece)
        assert await caller.read_to_the_end() == b""
        await asyncio.wait_for(service.ended.wait(), 60)


@pytest.mark.parametrize(
    ("head", "delay"), [(None, 0.0), (CHUNKED, 0.095), (LONG, 0.095), (HELLO, 1.0)]
)
@pytest.mark.parametrize("transport", ["lockgate", "httpx"])
async def test_the_total_timeout_before_the_first_byte_is_a_504(
    no_leaks: None,
    caplog: pytest.LogCaptureFixture,
    head: bytes | None,
    delay: float,
    transport: str,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await asyncio.sleep(delay)
        if head is not None:
            peer.send(head)
        await peer.wait_closed()

    caplog.set_level(logging.INFO, "lockgate.access")
    service = {"timeout": 5, "transport": transport}
    async with serve_proxy(script, total_timeout=0.1, service=service) as proxy:
        caller = await proxy.connect()
        caller.get()
        assert (await caller.read_head()).startswith(b"HTTP/1.1 504 ")
        assert proxy.streams.count == 0
    [line] = [it for it in caplog.records if it.name == "lockgate.access"]
    assert "0.1 s given (total_timeout)" in vars(line)["fields"]["error"]
