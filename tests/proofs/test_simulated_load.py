"""A load is recorded, simulated with proposed policies, and sent again to gateways with them.

The number of refusals that the simulation predicts is that of the gateways, within 5 percent.
"""

import asyncio
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.recording.import_file import import_recordings
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.simulation.simulate_policies import simulate
from tests.proofs.recorded_gateway import CHATS, NOW, PROPOSED, TOKENS
from tests.redis_server import RedisServer
from tests.running_demo import ROOT

pytestmark = [pytest.mark.prove, pytest.mark.redis, pytest.mark.timeout(900)]

SECONDS = 20
RATE = 18
"""Requests per second to each route."""

CALLERS = 2
ATTEMPTS, MAX_DELAY = 6, 0.25
IN_FLIGHT_SECONDS = 1.2
"""After this time the recordings of several processes cover a request."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A request of the load, which one of the gateways gets at a time in seconds."""

    at: float
    route: str
    path: str
    gateway: int
    caller: int


def plan_load(gateways: int) -> list[Planned]:
    """Return the same random requests each time."""
    draw = random.Random(7)
    planned = []
    for route in NOW:
        for _ in range(SECONDS * RATE):
            path = f"/{route}"
            if route == CHATS:
                path += f"?milliseconds={draw.randrange(100, 700)}"
            elif route == TOKENS:
                path += f"?used={draw.randrange(0, 40)}"
            at = draw.uniform(0, SECONDS)
            gateway, caller = draw.randrange(gateways), draw.randrange(CALLERS)
            planned.append(Planned(at, route, path, gateway, caller))
    return sorted(planned, key=lambda it: it.at)


@asynccontextmanager
async def open_gateway(redis_url: str, selected: str) -> AsyncIterator[int]:
    """Run a gateway; return its port. It is killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.proofs.recorded_gateway", redis_url, selected,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        assert await process.wait() == -signal.SIGKILL


async def get(port: int, path: str, caller: int) -> tuple[int, bytes]:
    """Return the status and the body of a response, for a caller with an address of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    address = f"X-Forwarded-For: 203.0.113.{caller}\r\nX-Forwarded-Proto: http\r\n"
    head = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{address}\r\n"
    writer.write(head.encode())
    response = await reader.read()
    writer.close()
    head_bytes, _, body = response.partition(b"\r\n\r\n")
    return int(head_bytes.split(b" ")[1]), body


@dataclass
class Load:
    """The refusals by route, and by how many seconds responses took longer than planned at most."""

    refused: Counter[str]
    delay: float
    recordings: list[Recording]


async def send_load(load: Sequence[Planned], ports: Sequence[int]) -> Load:
    """Send the requests at their times."""
    sent = Load(Counter(), 0, [])
    began = time.monotonic()

    async def send(planned: Planned) -> None:
        status, _ = await get(ports[planned.gateway], planned.path, planned.caller)
        assert status in (200, 429), status
        sent.refused[planned.route] += status == 429
        if planned.route not in (CHATS, TOKENS):
            sent.delay = max(sent.delay, time.monotonic() - began - planned.at)

    async with asyncio.TaskGroup() as group:
        for planned in load:
            await asyncio.sleep(began + planned.at - time.monotonic())
            group.create_task(send(planned))
    return sent


async def run_load(redis_url: str, gateways: int, selected: str) -> Load:
    """Send the load to new gateways, and read what they have recorded."""
    async with AsyncExitStack() as stack:
        ports = [
            await stack.enter_async_context(open_gateway(redis_url, selected))
            for _ in range(gateways)
        ]
        await asyncio.gather(*(get(port, "/recording", 0) for port in ports))  # to warm them up
        load = await send_load(plan_load(gateways), ports)
        await asyncio.sleep(IN_FLIGHT_SECONDS)
        exported = [(await get(port, "/recording", 0))[1] for port in ports]
        load.recordings = [it for file in exported for it in import_recordings(file)]
        return load


async def run_punctual_load(redis: RedisServer | None, gateways: int, selected: str) -> Load:
    """Do that again if the machine was too busy to send the load at its times."""
    for _ in range(ATTEMPTS):
        if redis is not None:
            redis.command("FLUSHALL")
        load = await run_load("-" if redis is None else redis.url, gateways, selected)
        print(f"{selected}: a response took up to {load.delay * 1_000:.0f} ms", flush=True)
        if load.delay <= MAX_DELAY:
            return load
    raise AssertionError("the machine is too busy to send the same load twice")


@pytest.mark.parametrize("counts", ["redis", "memory"])
async def test_the_predicted_refusals_are_those_of_the_gateways(
    own_redis: RedisServer, counts: str
) -> None:
    redis, gateways = (own_redis, 3) if counts == "redis" else (None, 1)
    recorded = await run_punctual_load(redis, gateways, "now")
    proposed = {name: PolicyInForce(policy) for name, policy in PROPOSED.items()}
    simulation = simulate(recorded.recordings, proposed)
    enforced = await run_punctual_load(redis, gateways, "proposed")
    before, after = recorded.refused, enforced.refused
    sent = len(plan_load(gateways))
    print(f"{counts}: {simulation.covers.requests} of {sent} requests are reproduced")
    assert simulation.covers.requests == sent
    # A request to /together is also one of `exact`.
    after["exact"] += after["together"]
    before["exact"] += before["together"]
    for name, effect in simulation.effects.items():
        assert effect.refused_before == before[name]
        print(
            f"{name}: {before[name]} refused, {effect.refused_after} predicted, {after[name]} then"
        )
    for name, effect in simulation.effects.items():
        assert after[name] >= 50, "too few to compare"
        assert abs(effect.refused_after - after[name]) <= 0.05 * after[name], name
