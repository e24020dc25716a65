"""A child process of section curves: measures the CPU time of calls by calls in flight.

`python -m tests.bench.call_cost typed|raw|httpx URL SECONDS IN_FLIGHT...` prints a JSON list of
microseconds per call.
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

MAX_IN_FLIGHT = 512


def make_typed_call(url: str, transport: httpx.AsyncBaseTransport) -> Call:
    """Make calls through a typed client, as a part of a composite does."""
    client = Users(url, timeout=30, connect_timeout=5, max_body_bytes=65_536, transport=transport)

    async def call() -> object:
        return await client.get(int(USER))

    return call


def make_raw_call(url: str, transport: httpx.AsyncBaseTransport) -> Call:
    """Make calls through the transport alone, from a request to the bytes of its response."""

    async def call() -> object:
        request = httpx.Request("GET", url + PATHS["users"])
        response = await transport.handle_async_request(request)
        return await response.aread()

    return call


async def measure_cpu_per_call(call: Call, in_flight: int, seconds: float) -> float:
    """Measure the CPU time of one call in microseconds, with `in_flight` calls at any time."""
    await _keep_calling(call, in_flight, seconds / 4)
    cpu_before = time.process_time()
    calls = await _keep_calling(call, in_flight, seconds)
    return (time.process_time() - cpu_before) / calls * 1e6


async def _keep_calling(call: Call, in_flight: int, seconds: float) -> int:
    ends_at, calls = time.monotonic() + seconds, 0

    async def call_repeatedly() -> None:
        nonlocal calls
        while time.monotonic() < ends_at:
            await call()
            calls += 1

    await asyncio.gather(*(call_repeatedly() for _ in range(in_flight)))
    return calls


async def _measure_curve(kind: str, url: str, seconds: float, counts: list[int]) -> list[float]:
    found = []
    for in_flight in counts:
        async with _open_transport(kind) as transport:
            call = (make_raw_call if kind == "raw" else make_typed_call)(url, transport)
            found.append(await measure_cpu_per_call(call, in_flight, seconds))
    return found


def _open_transport(kind: str) -> httpx.AsyncBaseTransport:
    if kind != "httpx":
        return Transport(max_connections=MAX_IN_FLIGHT)
    limits = httpx.Limits(max_connections=MAX_IN_FLIGHT, max_keepalive_connections=MAX_IN_FLIGHT)
    return httpx.AsyncHTTPTransport(limits=limits)


def main() -> None:
    """Print the microseconds per call for each number of calls in flight."""
    kind, url, seconds, *counts = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(
            json.dumps(
                runner.run(_measure_curve(kind, url, float(seconds), [int(c) for c in counts]))
            )
        )


if __name__ == "__main__":
    main()
