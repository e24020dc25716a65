"""A process with a limiter of its own: `python -m ... URL PROCESSES`, and orders on its input.

An order is a line of JSON: a policy, a key, and for how long and how often per second to send
requests. The reply is a line of JSON with the times of all admissions, in microseconds on the clock
of the machine, the number of those that Redis has decided, and that of decisions without
Redis.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import RedisDsn

from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.open_limiter import open_limiter
from gateway.ratelimit.rule import MICROSECONDS
from gateway.settings.schema import Counters, Settings
from tests.gateway.ratelimit.charges import charge
from tests.json_process import JsonProcess

PAUSE = 0.002


@dataclass(frozen=True)
class Order:
    """The requests that a process sends; the window is in seconds."""

    quota: int
    window: int
    key: str
    seconds: float
    per_second: int
    policy: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The numbers of admitted requests, of calls of Redis, and of calls without a decision."""

    admitted: list[int]
    trips: int
    degraded: int


class LimiterProcess(JsonProcess):
    """A child process that takes orders."""

    def __init__(self, url: str, processes: int) -> None:
        super().__init__(__name__, url, str(processes))

    def begin(self, order: Order) -> None:
        """Let it begin with an order."""
        self.send(asdict(order))

    def wait(self) -> Outcome:
        """Wait for the outcome of an order."""
        return Outcome(**self.receive())


@contextmanager
def run_processes(url: str, number: int) -> Iterator[list[LimiterProcess]]:
    """Run several of them."""
    processes = [LimiterProcess(url, number) for _ in range(number)]
    try:
        for process in processes:
            process.begin(Order(1, 1, "lockgate:{warm}", 0, 1))
        for process in processes:
            process.wait()
        yield processes
    finally:
        for process in processes:
            process.close()


def run_order(processes: Sequence[LimiterProcess], order: Order) -> list[Outcome]:
    """Give all processes the same order at once."""
    for process in processes:
        process.begin(order)
    return [process.wait() for process in processes]


async def execute(limiter: RateLimiter, order: Order) -> Outcome:
    """Send requests at a steady rate, several at a time if the loop is late."""
    one = replace(charge(order.quota, order.window, **order.policy), key=order.key)
    admitted, trips, degraded = list[int](), 0, 0

    async def send() -> None:
        nonlocal trips, degraded
        before = time.time_ns() // 1_000
        verdict = await limiter.check([one])
        degraded += verdict.degraded is not None
        # A request of a prefetch was charged before; it is admitted now.
        is_trip = verdict.degraded is None and verdict.now >= before
        if verdict.admitted:
            trips += is_trip
            admitted.append(verdict.now if is_trip else time.time_ns() // 1_000)

    started, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - started) < order.seconds:
        due = int(elapsed * order.per_second) - sent
        await asyncio.gather(*(send() for _ in range(due)))
        sent += due
        await asyncio.sleep(PAUSE)
    return Outcome(admitted, trips, degraded)


async def main(url: str, processes: int) -> None:
    """Take orders until the end of the input."""
    counters = Counters(processes=processes, timeout_ms=1_000)
    async with open_limiter(Settings(redis_url=RedisDsn(url), counters=counters)) as limiter:
        while line := await asyncio.to_thread(sys.stdin.readline):
            outcome = await execute(limiter, Order(**json.loads(line)))
            sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
            sys.stdout.flush()


def count_fullest_window(times: Sequence[int], seconds: int) -> int:
    """Return the number of admissions in the fullest window of this length."""
    ordered = sorted(times)
    most = first = 0
    for index, at in enumerate(ordered):
        while ordered[first] <= at - seconds * MICROSECONDS:
            first += 1
        most = max(most, index - first + 1)
    return most


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
