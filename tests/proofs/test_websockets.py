"""1,000 idle WebSockets beside 200 busy ones, and 1,000 clients that are killed at any moment."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from gateway.server.file_limit import raise_file_limit
from tests.gateway.proxy.websocket.frames import BINARY, MASK, build_frame
from tests.gateway.proxy.websocket.open_tunnel import HANDSHAKE
from tests.proofs.gateway_process import Gateway, open_gateway

pytestmark = [pytest.mark.prove, pytest.mark.timeout(300)]

IDLE, BUSY, KILLED = 1_000, 200, 1_000
MESSAGES = 50
AT_ONCE = 100
MAX_IDLE_BYTES = 24_576
"""Memory of the gateway for one idle WebSocket: both connections, the task and its scope."""

MAX_GROWTH_BYTES = 10_000_000


class EchoService:
    """Sends each message back, and records the close codes that it has received."""

    def __init__(self) -> None:
        self.codes: list[int | None] = []

    async def __call__(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in connection:
                await connection.send(message)
        self.codes.append(connection.close_code)


@asynccontextmanager
async def serve_echo(service: EchoService) -> AsyncIterator[Gateway]:
    raise_file_limit()
    async with serve(service, "127.0.0.1", 0, compression=None, ping_interval=None) as upstream:
        port = next(iter(upstream.sockets)).getsockname()[1]
        async with open_gateway(port) as gateway:
            yield gateway


async def open_idle(gateway: Gateway, count: int) -> list[ClientConnection]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def open_one() -> ClientConnection:
        async with gate:
            return await connect(gateway.url, proxy=None, compression=None, ping_interval=None)

    return list(await asyncio.gather(*(open_one() for _ in range(count))))


async def receive(client: ClientConnection) -> list[object]:
    return [await client.recv() for _ in range(MESSAGES)]


async def talk(gateway: Gateway, number: int) -> int:
    """Send messages and pings, check their order, and return the close code that was sent."""
    choose = random.Random(number)
    code = 4_000 + number
    async with connect(gateway.url, proxy=None, compression=None) as client:
        sent = [
            b"%d " % index + choose.randbytes(choose.randint(0, 5_000)) for index in range(MESSAGES)
        ]
        receiving = asyncio.create_task(receive(client))
        for index, message in enumerate(sent):
            await client.send(message if index % 5 else [message[:10], message[10:]])
            if index % 10 == 0:
                await (await client.ping())
        assert await receiving == sent
        await client.close(code)
    assert client.close_code == code
    return code


async def test_busy_websockets_keep_their_order_beside_a_thousand_idle_ones() -> None:
    service = EchoService()
    async with serve_echo(service) as gateway:
        await talk(gateway, 0)
        before = await gateway.settle()
        idle = await open_idle(gateway, IDLE)
        full = await gateway.count()
        assert full["streams"] == IDLE
        bytes_each = (full["memory"] - before["memory"]) / IDLE
        print(f"{bytes_each:,.0f} bytes for an idle WebSocket, {full}", flush=True)
        codes = await asyncio.gather(*(talk(gateway, number) for number in range(BUSY)))
        assert sorted(filter(None, service.codes)) == sorted([4_000, *codes])
        await idle[0].send("still open")
        assert await idle[0].recv() == "still open"
        await asyncio.gather(*(client.close() for client in idle))
        after = await gateway.settle()
    assert (after["tasks"], after["sockets"]) == (before["tasks"], before["sockets"])
    assert bytes_each < MAX_IDLE_BYTES


async def kill_one(gateway: Gateway, choose: random.Random) -> None:
    """Open a WebSocket with raw bytes, and reset the connection at a random moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    frames = [build_frame(BINARY, b"x" * choose.randint(0, 70_000), mask=MASK) for _ in range(3)]
    data = HANDSHAKE + b"".join(frames)
    moment = choose.choice([choose.randint(0, len(HANDSHAKE)), choose.randint(0, len(data))])
    with suppress(ConnectionError, TimeoutError):
        writer.write(data[:moment])
        async with asyncio.timeout(choose.random() * 0.3):
            while await reader.read(65_536):
                pass
    writer.transport.abort()


async def test_clients_that_are_killed_at_any_moment_leave_nothing() -> None:
    choose = random.Random(1)
    gate = asyncio.Semaphore(AT_ONCE)

    async def kill(gateway: Gateway) -> None:
        async with gate:
            await kill_one(gateway, choose)

    async with serve_echo(EchoService()) as gateway:
        await asyncio.gather(*(kill(gateway) for _ in range(KILLED // 2)))
        before = await gateway.settle()
        await asyncio.gather(*(kill(gateway) for _ in range(KILLED)))
        after = await gateway.settle()
        print(before, after, flush=True)
    assert (after["tasks"], after["sockets"]) == (before["tasks"], before["sockets"])
    assert after["streams"] == 0
    assert after["memory"] - before["memory"] < MAX_GROWTH_BYTES
