"""The tunnel of a WebSocket: order, close codes, back-pressure, and its end from either side."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from gateway.proxy.websocket import tunnel
from tests.gateway.proxy.websocket.frames import (
    BINARY,
    CLOSE,
    MASK,
    PING,
    TEXT,
    build_frame,
    iter_corpus,
)
from tests.gateway.proxy.websocket.open_tunnel import (
    ACCEPTED,
    HANDSHAKE,
    TIMEOUT,
    RawSide,
    ServedTunnels,
    echo,
    open_raw_pair,
    open_raw_tunnels,
    open_tunnels,
)

WITH_COMPRESSION = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"


async def test_messages_pings_and_close_codes_pass_in_order_both_ways(no_leaks: None) -> None:
    async def count(connection: ServerConnection) -> None:
        numbers = [await connection.recv() for _ in range(500)]
        await (await connection.ping(b"from the service"))
        for number in numbers:
            await connection.send(number)
        await connection.close(4321, "counted")

    async with open_tunnels(count) as served:
        async with served.connect(compression=None) as client:
            for number in range(500):
                await client.send(str(number))
            await (await client.ping(b"from the client"))
            assert [await client.recv() for _ in range(500)] == [str(n) for n in range(500)]
            with pytest.raises(ConnectionClosed):
                await client.recv()
        assert (client.close_code, client.close_reason) == (4321, "counted")
        await served.wait_for_end()


@pytest.mark.parametrize("code", [1000, 3000, 4999])
async def test_the_close_code_of_the_caller_reaches_the_service(no_leaks: None, code: int) -> None:
    closed: asyncio.Future[tuple[int | None, str | None]] = asyncio.Future()

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()
        closed.set_result((connection.close_code, connection.close_reason))

    async with open_tunnels(handler) as served, served.connect() as client:
        await client.close(code, "done")
        assert await asyncio.wait_for(closed, TIMEOUT) == (code, "done")


async def test_large_and_compressed_messages_pass(no_leaks: None) -> None:
    payload = os.urandom(1_500_000)
    options: dict[str, Any] = {"max_size": None}
    async with open_tunnels(echo, options=options) as served, served.connect(**options) as client:
        assert client.protocol.extensions
        await client.send("compress " * 100_000)
        assert await client.recv() == "compress " * 100_000
        await client.send(payload)
        assert await client.recv() == payload


@pytest.mark.parametrize("step", [1, 777, 100_000])
async def test_the_corpus_passes_byte_for_byte_both_ways(no_leaks: None, step: int) -> None:
    longest = 200 if step == 1 else 1_000_000
    to_service = b"".join(it for _, it in iter_corpus(MASK) if len(it) <= longest)
    to_caller = b"".join(it for _, it in iter_corpus(b"") if len(it) <= longest)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ACCEPTED[:-2] + WITH_COMPRESSION)
        await send_in_steps(writer, to_caller, step)
        received.set_result(await reader.readexactly(len(to_service)))
        await reader.read()
        writer.close()

    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    async with open_raw_tunnels(script) as served:
        caller = await served.open_raw(HANDSHAKE[:-2] + WITH_COMPRESSION)
        assert b"permessage-deflate" in await caller.read_head()
        sending = asyncio.create_task(send_in_steps(caller.writer, to_service, step))
        assert await caller.read(len(to_caller)) == to_caller
        assert await asyncio.wait_for(received, TIMEOUT) == to_service
        await sending


async def send_in_steps(writer: asyncio.StreamWriter, data: bytes, step: int) -> None:
    for begin in range(0, len(data), step):
        writer.write(data[begin : begin + step])
        await writer.drain()
        await asyncio.sleep(0)


async def test_what_either_side_sends_with_its_handshake_arrives(no_leaks: None) -> None:
    early, welcome = build_frame(TEXT, b"early", mask=MASK), build_frame(TEXT, b"welcome")
    async with open_raw_pair(early, welcome) as (_, caller, service):
        assert await caller.read(len(welcome)) == welcome
        assert await service.read(len(early)) == early


async def test_a_side_that_does_not_read_stops_the_other(no_leaks: None) -> None:
    piece = b"x" * 65_536
    frame = build_frame(BINARY, piece * 400)
    async with open_raw_pair() as (served, caller, service):
        sending = asyncio.create_task(send_in_steps(service.writer, frame, len(piece)))
        transport = served.connection._transport
        async with asyncio.timeout(TIMEOUT):
            while transport.get_write_buffer_size() < 65_536:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert transport.get_write_buffer_size() < 1_000_000
        assert not sending.done()
        assert await caller.read(len(frame)) == frame
        await sending


def close_by_caller(served: ServedTunnels, caller: RawSide) -> None:
    caller.writer.write(build_frame(CLOSE, (1000).to_bytes(2), mask=MASK))


def shut_down(served: ServedTunnels, caller: RawSide) -> None:
    served.shutdown()


@pytest.mark.parametrize("close", [close_by_caller, shut_down])
@pytest.mark.parametrize("length", [70_000, 1_000_000_000])  # of each frame
async def test_a_caller_that_does_not_read_stops_the_service_while_the_tunnel_is_closing(
    no_leaks: None,
    monkeypatch: pytest.MonkeyPatch,
    close: Callable[[ServedTunnels, RawSide], None],
    length: int,
) -> None:
    monkeypatch.setattr(tunnel, "CLOSE_SECONDS", 0.3)
    # More than the four buffers of the kernel between service and caller can hold.
    frame = bytes((0x82, 127)) + length.to_bytes(8) + bytes(min(length, 60_000_000))
    sent = frame * (60_000_000 // len(frame) or 1)
    async with open_raw_pair() as (served, caller, service):
        sending = asyncio.create_task(send_in_steps(service.writer, sent, 65_536))
        transport = served.connection._transport
        async with asyncio.timeout(TIMEOUT):
            while transport.get_write_buffer_size() < 65_536:  # noqa: ASYNC110
                await asyncio.sleep(0)
        close(served, caller)
        most = 0
        while not sending.done() and not transport.is_closing():
            most = max(most, transport.get_write_buffer_size())
            await asyncio.sleep(0.001)
        assert most < 1_000_000
        caller.writer.transport.abort()
        with pytest.raises(ConnectionError):
            await sending
        await served.wait_for_end()


async def test_a_service_that_does_not_read_stops_the_caller_while_the_tunnel_is_closing(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "CLOSE_SECONDS", 0.3)
    async with open_raw_pair() as (served, caller, service):
        service.reader._transport.pause_reading()  # type: ignore[attr-defined]
        frame = build_frame(BINARY, bytes(1_000_000), mask=bytes(4))
        sending = asyncio.create_task(send_in_steps(caller.writer, frame * 30, 65_536))
        async with asyncio.timeout(TIMEOUT):
            while served.connection._flow.is_reading:  # noqa: ASYNC110
                await asyncio.sleep(0)
        service.writer.write(build_frame(CLOSE, (1000).to_bytes(2)))
        assert (await caller.read(2))[0] == 0x88
        assert not served.connection._flow.is_reading
        with pytest.raises(ConnectionError):
            await sending
        service.writer.transport.abort()
        await served.wait_for_end()


async def test_more_frames_than_are_read_at_once_pass_in_order(no_leaks: None) -> None:
    frames = b"".join(build_frame(PING, b"%d" % n, mask=MASK) for n in range(5_000))
    back = b"".join(build_frame(TEXT, b"%d" % n) for n in range(5_000))
    async with open_raw_pair() as (_, caller, service):
        caller.writer.write(frames)
        service.writer.write(back)
        assert await service.read(len(frames)) == frames
        assert await caller.read(len(back)) == back


async def test_a_caller_that_is_gone_is_noticed_while_it_is_not_read_from(no_leaks: None) -> None:
    async with open_raw_pair() as (served, caller, service):
        service.reader._transport.pause_reading()  # type: ignore[attr-defined]
        frame = build_frame(BINARY, b"x" * 30_000_000, mask=bytes(4))
        sending = asyncio.create_task(send_in_steps(caller.writer, frame, 65_536))
        async with asyncio.timeout(TIMEOUT):
            while served.connection._flow.is_reading:  # noqa: ASYNC110
                await asyncio.sleep(0)
        caller.writer.transport.abort()
        with pytest.raises(ConnectionError):
            await sending
        async with asyncio.timeout(TIMEOUT):
            while served.server.connections.count:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        service.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await service.read_to_the_end()) < len(frame)
        await served.wait_for_end()


@pytest.mark.parametrize("code", [1000, None])
async def test_the_log_line_has_the_code_and_the_bytes_of_both_directions(
    no_leaks: None, code: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lockgate.access")
    frame, back = build_frame(TEXT, b"hello", mask=MASK), build_frame(TEXT, b"hi")
    close = b"" if code is None else build_frame(CLOSE, code.to_bytes(2), mask=MASK)
    async with open_raw_pair(frame + close, back) as (served, caller, service):
        assert await caller.read(len(back)) == back
        assert await service.read(len(frame + close)) == frame + close
        if code is not None:
            service.writer.write(build_frame(CLOSE, code.to_bytes(2)))
            assert len(await caller.read_to_the_end()) == 4
        caller.writer.close()
        await served.wait_for_end()
    [record] = [it for it in caplog.records if it.msg == "websocket.closed"]
    fields = record.__dict__["fields"]
    assert fields["status"] == 101
    assert fields["bytes_received"] == len(frame + close)
    assert fields["bytes"] == len(back) + (0 if code is None else 4)
    assert fields["code"] == (1006 if code is None else code)
    assert fields.get("closed_by") == (None if code is None else "caller")


async def test_a_ping_between_fragments_passes_at_once(no_leaks: None) -> None:
    first = build_frame(TEXT, b"one", is_last=False, mask=MASK)
    ping = build_frame(PING, b"now", mask=MASK)
    async with open_raw_pair(first + ping) as (_, _, service):
        assert await service.read(len(first + ping)) == first + ping
