"""One child process of section curves: what a call costs with so many in flight, as JSON.

`python -m tests.bench.calls typed|raw|httpx URL SECONDS IN_FLIGHT...`
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

import httpx
import uvloop

from clients.users import Users
from gateway.transport.transport import Transport
from tests.bench.upstream import PATHS, USER

Call = Callable[[], Awaitable[object]]

MOST_IN_FLIGHT = 512


def typed(url: str, transport: httpx.AsyncBaseTransport) -> Call:
    """A client's method, as a part of a composite calls it."""
    client = Users(url, timeout=30, connect_timeout=5, max_body_bytes=65_536, transport=transport)

    async def call() -> object:
        return await client.get(int(USER))

    return call


def raw(url: str, transport: httpx.AsyncBaseTransport) -> Call:
    """The transport alone: a request, and the bytes of its answer."""

    async def call() -> object:
        request = httpx.Request("GET", url + PATHS["users"])
        response = await transport.handle_async_request(request)
        return await response.aread()

    return call


async def cpu_per_call(call: Call, in_flight: int, seconds: float) -> float:
    """Microseconds of this process's CPU time, with always so many calls in flight."""
    await _keep_calling(call, in_flight, seconds / 4)
    begun = time.process_time()
    calls = await _keep_calling(call, in_flight, seconds)
    return (time.process_time() - begun) / calls * 1e6


async def _keep_calling(call: Call, in_flight: int, seconds: float) -> int:
    ends_at, calls = time.monotonic() + seconds, 0

    async def again_and_again() -> None:
        nonlocal calls
        while time.monotonic() < ends_at:
            await call()
            calls += 1

    await asyncio.gather(*(again_and_again() for _ in range(in_flight)))
    return calls


async def _curve(kind: str, url: str, seconds: float, counts: list[int]) -> list[float]:
    found = []
    for in_flight in counts:
        async with _transport(kind) as transport:
            call = (raw if kind == "raw" else typed)(url, transport)
            found.append(await cpu_per_call(call, in_flight, seconds))
    return found


def _transport(kind: str) -> httpx.AsyncBaseTransport:
    if kind != "httpx":
        return Transport(max_connections=MOST_IN_FLIGHT)
    limits = httpx.Limits(max_connections=MOST_IN_FLIGHT, max_keepalive_connections=MOST_IN_FLIGHT)
    return httpx.AsyncHTTPTransport(limits=limits)


def main() -> None:
    """Print one number for each count."""
    kind, url, seconds, *counts = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_curve(kind, url, float(seconds), [int(c) for c in counts]))))


if __name__ == "__main__":
    main()
