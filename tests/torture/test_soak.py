"""Many mixed calls leave no memory, timer or connection behind."""

import asyncio
import gc
import tracemalloc
from pathlib import Path

import pytest

from gateway.transport.transport import Transport
from tests.gateway.transport.scripted_server import serve_script
from tests.torture.soak import IN_FLIGHT, Soak, SoakServer

_PAGE = 4_096
_STATM = Path("/proc/self/statm")


def _count_timers() -> int:
    """Count the timers pending in asyncio's own loop, cancelled ones included."""
    return len(getattr(asyncio.get_running_loop(), "_scheduled", ()))


def _read_resident_bytes() -> int:
    return int(_STATM.read_text().split()[1]) * _PAGE if _STATM.exists() else 0


async def _wait_until_closed(soak_server: SoakServer) -> None:
    """Wait until the server has seen the end of every connection, at most 5 s."""
    for _ in range(500):
        if soak_server.connections_opened == soak_server.connections_closed:
            return
        await asyncio.sleep(0.01)


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_500_mixed_calls_leave_nothing_behind(no_unhandled_errors: None) -> None:
    soak_server = SoakServer()
    async with serve_script(soak_server) as server:
        async with Transport(max_connections=32) as transport:
            soak = Soak(server.url, transport, seed=1)
            await soak.make_calls(500)
        await _wait_until_closed(soak_server)
        await server.wait_done()
        assert soak_server.connections_opened == soak_server.connections_closed > 50
    kinds = {"UpstreamInvalid", "UpstreamTimeout", "UpstreamUnavailable", "ok"}
    assert set(soak.outcomes) == kinds
    assert soak.outcomes.total() == 500


@pytest.mark.prove
@pytest.mark.timeout(900)
async def test_100000_mixed_calls_leave_nothing_behind(no_unhandled_errors: None) -> None:
    soak_server, sizes = SoakServer(), list[tuple[int, int, int]]()
    tracemalloc.start()
    try:
        async with serve_script(soak_server) as server:
            async with Transport(max_connections=IN_FLIGHT) as transport:
                soak = Soak(server.url, transport, seed=2)
                for calls_made in range(0, 110_000, 10_000):
                    await soak.make_calls(10_000)
                    gc.collect()
                    sizes.append(
                        (
                            tracemalloc.get_traced_memory()[0],
                            _read_resident_bytes(),
                            _count_timers(),
                        )
                    )
                    allocated, resident, timers = sizes[-1]
                    print(
                        f"{calls_made + 10_000:>7} calls: {allocated / 1e6:.2f} MB allocated, "
                        f"{resident / 1e6:.0f} MB resident, {timers} timers, "
                        f"{soak_server.connections_opened} connections",
                        flush=True,
                    )
            await _wait_until_closed(soak_server)
            await server.wait_done()
            assert soak_server.connections_opened == soak_server.connections_closed
    finally:
        tracemalloc.stop()
    # The first 10,000 calls warm up; then the last 50,000 are compared with the 50,000 before.
    first, last = sizes[1:6], sizes[6:]
    # Allocated bytes, resident bytes, timers.
    for index, allowance in ((0, 500_000), (1, 8_000_000), (2, 200)):
        assert max(size[index] for size in last) <= max(size[index] for size in first) + allowance
    print(dict(soak.outcomes))
