"""However many calls, and however they end, nothing is left of them."""

import asyncio
import gc
import tracemalloc
from pathlib import Path

import pytest

from gateway.transport.transport import Transport
from tests.gateway.transport.scripted_server import scripted
from tests.torture.soak import IN_FLIGHT, Service, Soak

_PAGE = 4_096
_STATM = Path("/proc/self/statm")


def _timers() -> int:
    """The timers that wait in asyncio's own loop, cancelled ones included."""
    return len(getattr(asyncio.get_running_loop(), "_scheduled", ()))


def _resident() -> int:
    return int(_STATM.read_text().split()[1]) * _PAGE if _STATM.exists() else 0


async def _quiet(service: Service) -> None:
    """Until the server has seen every connection closed."""
    for _ in range(500):
        if service.opened == service.closed:
            return
        await asyncio.sleep(0.01)


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_five_hundred_mixed_calls_leave_nothing(nothing_unheard: None) -> None:
    service = Service()
    async with scripted(service) as server:
        async with Transport(max_connections=32) as transport:
            soak = Soak(server.url, transport, seed=1)
            await soak.calls(500)
        await _quiet(service)
        await server.over()
        assert service.opened == service.closed > 50
    kinds = {"UpstreamInvalid", "UpstreamTimeout", "UpstreamUnavailable", "ok"}
    assert set(soak.outcomes) == kinds
    assert soak.outcomes.total() == 500


@pytest.mark.bench
@pytest.mark.timeout(900)
async def test_a_hundred_thousand_mixed_calls_leave_nothing(nothing_unheard: None) -> None:
    service, sizes = Service(), list[tuple[int, int, int]]()
    tracemalloc.start()
    try:
        async with scripted(service) as server:
            async with Transport(max_connections=IN_FLIGHT) as transport:
                soak = Soak(server.url, transport, seed=2)
                for done in range(0, 110_000, 10_000):
                    await soak.calls(10_000)
                    gc.collect()
                    sizes.append((tracemalloc.get_traced_memory()[0], _resident(), _timers()))
                    held, resident, timers = sizes[-1]
                    print(
                        f"{done + 10_000:>7} calls: {held / 1e6:.2f} MB held, "
                        f"{resident / 1e6:.0f} MB resident, {timers} timers, "
                        f"{service.opened} connections",
                        flush=True,
                    )
            await _quiet(service)
            await server.over()
            assert service.opened == service.closed
    finally:
        tracemalloc.stop()
    # The first ten thousand are for warming up; then 50,000 against the 50,000 before.
    first, last = sizes[1:6], sizes[6:]
    for kind, allowance in ((0, 500_000), (1, 8_000_000), (2, 200)):
        assert max(size[kind] for size in last) <= max(size[kind] for size in first) + allowance
    print(dict(soak.outcomes))
