"""The tunnel of a WebSocket: order, close codes, back-pressure, and its end from either side."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
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
    iter_violations,
)
from tests.gateway.proxy.websocket.open_tunnel import (
    ACCEPTED,
    HANDSHAKE,
    TIMEOUT,
    RawSide,
    ServedTunnels,
    echo,
    open_raw_tunnels,
    open_tunnels,
)

WITH_COMPRESSION = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"


@asynccontextmanager
async def open_raw_pair(
    caller_sends: bytes = b"", service_sends: bytes = b"", **changes: object
) -> AsyncIterator[tuple[ServedTunnels, RawSide, RawSide]]:
    """Open a tunnel between two raw sides; the bytes follow their handshakes at once."""
    opened: asyncio.Future[RawSide] = asyncio.get_running_loop().create_future()
    ended = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"GET /chat HTTP/1.1\r\n")
        writer.write(ACCEPTED + service_sends)
        opened.set_result(RawSide(reader, writer))
        await ended.wait()
        writer.close()

    async with open_raw_tunnels(script, **changes) as served:
        caller = await served.open_raw(HANDSHAKE + caller_sends)
        assert (await caller.read_head()).startswith(b"HTTP/1.1 101 ")
        try:
            yield served, caller, await asyncio.wait_for(opened, TIMEOUT)
        finally:
            ended.set()


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
    served.connection.shutdown()


@pytest.mark.parametrize("close", [close_by_caller, shut_down])
@pytest.mark.parametrize("length", [70_000, 1_000_000_000])  # of each frame
async def test_a_caller_that_does_not_read_stops_the_service_while_the_tunnel_is_closing(
    no_leaks: None,
    monkeypatch: pytest.MonkeyPatch,
    close: Callable[[ServedTunnels, RawSide], None],
    length: int,
) -> None:
    monkeypatch.setattr(tunnel, "CLOSE_SECONDS", 0.3)
    frame = bytes((0x82, 127)) + length.to_bytes(8) + bytes(min(length, 20_000_000))
    sent = frame * (20_000_000 // len(frame) or 1)
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


@pytest.mark.parametrize("leaves", ["caller", "service"])
@pytest.mark.parametrize("how", ["close", "abort"])
async def test_either_side_that_is_gone_ends_the_other(
    no_leaks: None, leaves: str, how: str
) -> None:
    async with open_raw_pair() as (served, caller, service):
        gone, left = (caller, service) if leaves == "caller" else (service, caller)
        started = time.perf_counter()
        gone.writer.close() if how == "close" else gone.writer.transport.abort()
        rest = await left.read_to_the_end()
        assert time.perf_counter() - started < 5
        if leaves == "caller":
            assert rest == b""
        else:
            reason = b"the service has ended the connection"
            assert rest == build_frame(CLOSE, (1014).to_bytes(2) + reason)
        left.writer.close()
        await served.wait_for_end()


async def test_a_service_that_is_gone_within_a_frame_breaks_the_connection(
    no_leaks: None,
) -> None:
    part = build_frame(TEXT, b"x" * 1_000)[:500]
    async with open_raw_pair(service_sends=part) as (served, caller, service):
        assert await caller.read(len(part)) == part
        service.writer.close()
        assert await caller.read_to_the_end() == b""
        caller.writer.close()
        await served.wait_for_end()


@pytest.mark.parametrize("sender", ["caller", "service"])
@pytest.mark.parametrize("name", ["opcode 3", "wrong masking", "long control frame 9"])
async def test_a_violation_closes_both_sides_with_1002(
    no_leaks: None, sender: str, name: str
) -> None:
    async with open_raw_pair() as (served, caller, service):
        bad = dict(iter_violations(MASK if sender == "caller" else b""))[name]
        (caller if sender == "caller" else service).writer.write(bad)
        to_caller = await caller.read(4)
        to_service = await service.read(8)
        assert to_caller[0] == to_service[0] == 0x88
        assert int.from_bytes(to_caller[2:4]) == 1002
        assert int.from_bytes(to_service[6:8]) ^ int.from_bytes(to_service[2:4]) == 1002
        caller.writer.close()
        service.writer.close()
        await served.wait_for_end()


async def test_a_shutdown_closes_with_1001_between_two_frames(no_leaks: None) -> None:
    begun = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        begun.set()
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        codes.append(connection.close_code)

    codes: list[int | None] = []
    async with open_tunnels(handler) as served:
        client = await served.connect()
        await begun.wait()
    with pytest.raises(ConnectionClosed):
        await client.recv()
    assert (client.close_code, client.close_reason) == (1001, "the gateway stops")
    assert codes == [1001]


async def test_a_drain_closes_while_the_gateway_serves_on(no_leaks: None) -> None:
    async with open_tunnels(echo) as served:
        clients = [await served.connect() for _ in range(10)]
        await served.server.drain(0.1)
        await served.wait_for_end()
        assert {client.close_code for client in clients} == {1001}
        async with served.connect() as late:
            await late.send("late")
            assert await late.recv() == "late"


async def test_a_close_frame_of_the_gateway_waits_for_the_end_of_a_frame(no_leaks: None) -> None:
    frame = build_frame(BINARY, b"x" * 1_000)
    async with open_raw_pair(service_sends=frame[:500]) as (served, caller, service):
        assert await caller.read(500) == frame[:500]
        served.shutdown()
        close = await service.read(6)
        assert close[0] == 0x88
        service.writer.write(frame[500:] + build_frame(TEXT, b"dropped"))
        assert await caller.read(len(frame) - 500) == frame[500:]
        rest = await caller.read_to_the_end()
        assert rest == build_frame(CLOSE, (1001).to_bytes(2) + b"the gateway stops")
        service.writer.write(build_frame(CLOSE, (1001).to_bytes(2)))
        caller.writer.close()
        await served.wait_for_end()


async def test_a_side_that_never_closes_is_disconnected(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "CLOSE_SECONDS", 0.05)
    async with open_raw_pair() as (served, caller, service):
        close = build_frame(CLOSE, (1000).to_bytes(2), mask=MASK)
        caller.writer.write(close)
        assert await service.read_to_the_end() == close
        assert await caller.read_to_the_end() == b""
        caller.writer.close()
        await served.wait_for_end()


async def test_a_tunnel_without_a_byte_is_closed_after_the_idle_timeout(no_leaks: None) -> None:
    async with open_tunnels(echo, idle_timeout=0.2) as served, served.connect() as client:
        for _ in range(4):
            await client.send("still here")
            await client.recv()
            await asyncio.sleep(0.07)
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (1001, "idle_timeout")


async def test_the_total_timeout_closes_a_busy_tunnel(no_leaks: None) -> None:
    async with open_tunnels(echo, timeout=0.2, total_timeout=0.2) as served:
        async with served.connect() as client:
            with pytest.raises(ConnectionClosed):
                await talk(client)
        assert (client.close_code, client.close_reason) == (1001, "total_timeout")


async def talk(client: ClientConnection) -> None:
    while True:
        await client.send("busy")
        await client.recv()


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


CLOSE_FRAME = (1000).to_bytes(2)


async def test_a_caller_that_ends_its_stream_after_its_close_frame_gets_the_reply(
    no_leaks: None,
) -> None:
    async with open_raw_pair() as (served, caller, service):
        caller.writer.write(build_frame(CLOSE, CLOSE_FRAME, mask=MASK))
        caller.writer.write_eof()
        assert await service.read(8) == build_frame(CLOSE, CLOSE_FRAME, mask=MASK)
        rest = build_frame(TEXT, b"the rest") + build_frame(CLOSE, CLOSE_FRAME)
        service.writer.write(rest)
        assert await caller.read_to_the_end() == rest
        assert await service.read_to_the_end() == b""
        caller.writer.close()
        service.writer.close()
        await served.wait_for_end()


async def test_a_caller_that_has_ended_its_stream_learns_that_the_service_is_gone(
    no_leaks: None,
) -> None:
    async with open_raw_pair() as (served, caller, service):
        caller.writer.write(build_frame(CLOSE, CLOSE_FRAME, mask=MASK))
        caller.writer.write_eof()
        assert await service.read(8) == build_frame(CLOSE, CLOSE_FRAME, mask=MASK)
        service.writer.close()
        rest = await caller.read_to_the_end()
        assert (rest[0], int.from_bytes(rest[2:4])) == (0x88, 1014)
        await served.wait_for_end()  # the caller closes later


async def test_a_ping_between_fragments_passes_at_once(no_leaks: None) -> None:
    first = build_frame(TEXT, b"one", is_last=False, mask=MASK)
    ping = build_frame(PING, b"now", mask=MASK)
    async with open_raw_pair(first + ping) as (_, _, service):
        assert await service.read(len(first + ping)) == first + ping
