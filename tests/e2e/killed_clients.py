"""Clients that are killed at random moments of downloads, uploads and streams of events.

`python -m tests.e2e.killed_clients PORT COUNT SEED` runs them in a process of their own, so that
the process of a gateway holds nothing of theirs. It prints how many were killed in which exchange.
"""

import asyncio
import random
import socket
import struct
import sys
from collections import Counter
from contextlib import suppress

AT_ONCE = 100
MAX_SECONDS = 0.3
SIZE = 10**8

EXCHANGES = {
    "download": f"GET /files/bytes/{SIZE} HTTP/1.1\r\nHost: x\r\n\r\n",
    "upload": f"PUT /files/bytes HTTP/1.1\r\nHost: x\r\nContent-Length: {SIZE}\r\n\r\n",
    "events": "GET /files/events/1000 HTTP/1.1\r\nHost: x\r\n\r\n",
}

_ZEROS = bytes(1 << 16)
_NO_LINGER = struct.pack("ii", 1, 0)  # close() sends RST instead of FIN


async def run_clients(port: int, count: int, seed: int) -> Counter[str]:
    """Run `count` clients, AT_ONCE at a time; count them by exchange."""
    chance, gate = random.Random(seed), asyncio.Semaphore(AT_ONCE)
    killed: Counter[str] = Counter()

    async def run_one() -> None:
        async with gate:
            exchange = chance.choice(list(EXCHANGES))
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(chance.uniform(0, MAX_SECONDS)):
                    await _exchange(port, exchange, reset=chance.random() < 0.5)
                    raise AssertionError(f"{exchange}: the gateway ended the exchange")
            killed[exchange] += 1

    await asyncio.gather(*(run_one() for _ in range(count)))
    return killed


async def _exchange(port: int, exchange: str, *, reset: bool) -> None:
    """Send or receive until it is cancelled; then close the connection, or reset it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(EXCHANGES[exchange].encode())
        while exchange == "upload":
            writer.write(_ZEROS)
            await writer.drain()
        while await reader.read(1 << 16):
            pass
    finally:
        sock: socket.socket = writer.get_extra_info("socket")
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        writer.transport.abort()


def main() -> None:
    """Run the clients that the command line names."""
    port, count, seed = map(int, sys.argv[1:])
    print(dict(asyncio.run(run_clients(port, count, seed))))


if __name__ == "__main__":
    main()
