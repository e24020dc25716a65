"""A process with a limiter that goes on while Redis fails: `python -m ... URL PROCESSES`.

A line of JSON on its input is a list of orders, which it executes at once. The reply is a line with
two numbers per order: the admitted requests, and those of them that were admitted without Redis.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import RedisDsn

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.open_limiter import open_limiter
from gateway.settings.schema import Counters, Settings
from tests.gateway.ratelimit.charges import charge
from tests.json_process import JsonProcess

WINDOW_SECONDS = 36_000  # nothing expires


@dataclass(frozen=True)
class Order:
    """The requests of one caller under a policy, `delay` seconds from now."""

    key: str
    quota: int
    delay: float
    seconds: float
    per_second: int
    policy: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The numbers of requests that were admitted, and of those admitted without Redis."""

    admitted: int
    degraded: int


class FaultyLimiter(JsonProcess):
    """A child process that takes orders."""

    def __init__(self, url: str, processes: int) -> None:
        super().__init__(__name__, url, str(processes))

    def begin(self, orders: Sequence[Order]) -> None:
        """Let it begin with orders."""
        self.send([asdict(order) for order in orders])

    def wait(self) -> list[Outcome]:
        """Wait for the outcomes."""
        return [Outcome(*numbers) for numbers in self.receive()]


@contextmanager
def run_processes(url: str, number: int) -> Iterator[list[FaultyLimiter]]:
    """Run several of them, which are connected to Redis."""
    processes = [FaultyLimiter(url, number) for _ in range(number)]
    try:
        for process in processes:
            process.begin([])
        for process in processes:
            process.wait()
        yield processes
    finally:
        for process in processes:
            process.close()


async def execute(limiter: RateLimiter, order: Order) -> tuple[int, int]:
    """Send the requests, one after the other."""
    one = replace(charge(order.quota, WINDOW_SECONDS, **order.policy), key=order.key)
    await asyncio.sleep(order.delay)
    admitted = degraded = 0
    for _ in range(round(order.seconds * order.per_second)):
        try:
            verdict = await limiter.check([one])
        except RateLimiterUnavailable:
            pass
        else:
            admitted += verdict.admitted
            degraded += verdict.admitted and verdict.degraded is not None
        await asyncio.sleep(1 / order.per_second)
    return admitted, degraded


async def wait_healthy(limiter: RateLimiter) -> None:
    """Wait until it counts in Redis."""
    while limiter.health()["status"] != "ok":  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.01)


async def main(url: str, processes: int) -> None:
    """Take orders until the end of the input."""
    settings = Settings(redis_url=RedisDsn(url), counters=Counters(processes=processes))
    async with open_limiter(settings) as limiter:
        while line := await asyncio.to_thread(sys.stdin.readline):
            orders = [Order(**order) for order in json.loads(line)]
            outcomes = await asyncio.gather(*(execute(limiter, order) for order in orders))
            await wait_healthy(limiter)
            sys.stdout.write(json.dumps(outcomes) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
