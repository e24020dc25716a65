"""The ops app with the console on a real socket, beside limits that count requests of callers.

`python -m tests.browser.console.console_server` prints the address of the console and a token.
"""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from gateway.ops.ops_scopes import READ, WRITE
from gateway.resources import Resources
from gateway.settings.schema import Settings
from tests.gateway.ops.ops_server import OpsServer, make_settings, run_ops, send_requests

HOSTILE_CALLER = "<img src=x onerror=alert(1)>"


class Caller(NamedTuple):
    """A caller of a policy, and its requests per second."""

    policy: str
    kind: str
    name: str
    rate: float


CALLERS = (
    *(
        Caller("dashboards", "user", name, rate)
        for name, rate in {
            HOSTILE_CALLER: 2.6,
            "42": 1.9,
            "7": 1.6,
            "1009": 1.1,
            "311": 0.7,
            "58": 0.4,
        }.items()
    ),
    *(Caller("partners", "service", name, rate) for name, rate in {"billing": 2, "crm": 1}.items()),
    *(Caller("pages", "address", f"192.0.2.{it}", 5 + 4 * it) for it in range(1, 4)),
)


async def send_traffic(gateway: Resources, callers: Sequence[Caller]) -> None:
    """Send the requests of the callers until it is cancelled, more of them in some minutes."""
    chance = random.Random(7)
    while True:
        wave = 1 + 0.35 * math.sin(time.time() / 23) + 0.15 * math.sin(time.time() / 7)
        for it in callers:
            count = int(it.rate * wave / 4 + chance.random())
            await send_requests(gateway, it.name, count, it.policy, it.kind)
        await asyncio.sleep(0.25)


@asynccontextmanager
async def serve_console(
    settings: Settings, callers: Sequence[Caller] = CALLERS
) -> AsyncIterator[OpsServer]:
    """Serve the console; callers send requests for the length of the block."""
    async with run_ops(settings) as ops:
        sending = asyncio.create_task(send_traffic(ops.gateway, callers))
        try:
            yield ops
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending


async def _serve_until_interrupted(settings: Settings) -> None:
    async with serve_console(settings) as ops:
        print(f"{ops.url}/\n{ops.token(READ, WRITE)}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with make_settings() as _settings:
        asyncio.run(_serve_until_interrupted(_settings))
