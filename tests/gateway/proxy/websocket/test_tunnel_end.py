"""How a WebSocket ends: by either side, a limit, a frame that is not allowed, or a shutdown."""

import asyncio

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from gateway.proxy.websocket import tunnel
from tests.gateway.proxy.websocket.frames import (
    BINARY,
    CLOSE,
    MASK,
    TEXT,
    build_frame,
    iter_violations,
)
from tests.gateway.proxy.websocket.open_tunnel import (
    TIMEOUT,
    RawSide,
    echo,
    open_raw_pair,
    open_tunnels,
)
from tests.gateway.proxy.websocket.test_tunnel import send_in_steps

WITH_COMPRESSION = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"


@pytest.mark.parametrize("leaves", ["caller", "service"])
@pytest.mark.parametrize("how", ["close", "abort"])
async def test_either_side_that_is_gone_ends_the_other(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch, leaves: str, how: str
) -> None:
    monkeypatch.setattr(tunnel, "CLOSE_SECONDS", 3_600)  # no timer ends it
    async with open_raw_pair() as (served, caller, service):
        gone, left = (caller, service) if leaves == "caller" else (service, caller)
        gone.writer.close() if how == "close" else gone.writer.transport.abort()
        rest = await left.read_to_the_end()
        if leaves == "caller":
            assert rest == b""
        else:
            reason = b"the service has ended the connection"
            assert rest == build_frame(CLOSE, (1011).to_bytes(2) + reason)
        left.writer.close()
        await served.wait_for_end()


async def test_a_caller_that_was_stopped_is_read_again_when_the_service_is_gone(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "CLOSE_SECONDS", 3_600)  # no timer ends it
    async with open_raw_pair() as (served, caller, service):
        service.reader._transport.pause_reading()  # type: ignore[attr-defined]
        frame = build_frame(BINARY, bytes(1_000_000), mask=bytes(4))
        sent = frame * 30 + build_frame(CLOSE, (1001).to_bytes(2), mask=MASK)
        sending = asyncio.create_task(send_in_steps(caller.writer, sent, 65_536))
        async with asyncio.timeout(TIMEOUT):
            while served.connection._flow.is_reading:  # noqa: ASYNC110
                await asyncio.sleep(0)
        service.writer.transport.abort()
        assert (await caller.read_to_the_end())[:1] == b"\x88"
        await sending
        caller.writer.close()
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


async def test_a_service_with_a_violation_is_disconnected_after_the_close_frame(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "CLOSE_SECONDS", 3_600)  # no timer ends it
    async with open_raw_pair() as (served, caller, service):
        service.writer.write(dict(iter_violations(b""))["opcode 3"])
        assert len(await service.read_to_the_end()) > 8
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


CLOSE_FRAME = (1000).to_bytes(2)


async def end_after_close_frame(caller: RawSide, service: RawSide) -> None:
    """Let the caller send a close frame and end its stream; the service gets the frame."""
    caller.writer.write(build_frame(CLOSE, CLOSE_FRAME, mask=MASK))
    caller.writer.write_eof()
    assert await service.read(8) == build_frame(CLOSE, CLOSE_FRAME, mask=MASK)


async def test_a_caller_that_ends_its_stream_after_its_close_frame_gets_the_reply(
    no_leaks: None,
) -> None:
    async with open_raw_pair() as (served, caller, service):
        await end_after_close_frame(caller, service)
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
        await end_after_close_frame(caller, service)
        service.writer.close()
        rest = await caller.read_to_the_end()
        assert (rest[0], int.from_bytes(rest[2:4])) == (0x88, 1011)
        await served.wait_for_end()  # the caller closes later
