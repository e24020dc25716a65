"""A process that spends every kind of policy as fast as it can: `python -m ... URL`.

It reads a line per round, the name of the round and the number of requests, and prints how many
were admitted in each case, as JSON.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import PoliciesInForce, PolicyInForce
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from gateway.request_context import RequestContext

EXACT = RateLimit("exact", "60/day")
BUCKETED = RateLimit("bucketed", "200/day")
STEADY = RateLimit("steady", "2/day", burst=150)
WINDOWS = RateLimit("windows", "90/day, 170/2days")
STEADY_WINDOWS = RateLimit("steady_windows", "2/day, 110/2days", burst=150)
TIERS = RateLimit("tiers", "30/day", tiers={"pro": "120/day, 900/2days"}, tier_claim="plan")
SHADOW = RateLimit("shadow", "10/day", shadow=True)
HELD = ConcurrencyLimit("held", 70)

CASES: Mapping[str, tuple[Sequence[Demand], int]] = {
    "exact": ([Demand(EXACT, "a")], 60),
    "bucketed": ([Demand(BUCKETED, "a")], 200),
    "steady": ([Demand(STEADY, "a")], 150),
    "windows": ([Demand(WINDOWS, "a")], 90),
    "a steady rate and a window": ([Demand(STEADY_WINDOWS, "a")], 110),
    "no tier": ([Demand(TIERS, "a", "free")], 30),
    "a tier": ([Demand(TIERS, "b", "pro")], 120),
    "a cost": ([Demand(BUCKETED, "b", cost=7)], 200 // 7),
    "a cost of a burst": ([Demand(STEADY, "b", cost=4)], 150 // 4),
    "an override": ([Demand(WINDOWS, "times")], 180),
    "a rate of a key": ([Demand(WINDOWS, "rate")], 55),
    "several policies": ([Demand(BUCKETED, "c"), Demand(WINDOWS, "c"), Demand(SHADOW, "c")], 90),
    "leases": ([Demand(HELD, "a")], 70),
    "a tier and leases": ([Demand(HELD, "b"), Demand(TIERS, "c", "pro")], 70),
}


def put_in_force(partitions: str) -> PoliciesInForce:
    """Put the policies in force, with overrides of the keys of one round."""
    overrides = {
        f"{partitions}times": KeyOverride("times", times=2.0),
        f"{partitions}rate": KeyOverride("rate", rates=RateLimit("x", "55/day").rates),
    }
    return PoliciesInForce([PolicyInForce(WINDOWS, overrides=overrides)])


async def spend(limits: Limits, demands: Sequence[Demand], requests: int) -> int:
    """Send requests at once, and return how many were admitted; they end when all have begun."""
    contexts = [RequestContext() for _ in range(requests)]

    async def send(context: RequestContext) -> bool:
        lease = limits.leases.open(context)
        return (await limits.enforce(demands, lease)).admitted

    return sum(await asyncio.gather(*map(send, contexts)))


async def run_round(limiter: RedisLimiter, name: str, requests: int) -> dict[str, int]:
    """Spend all policies once, under keys of this round."""
    limits = Limits(limiter, put_in_force(f"{name}-"))
    admitted = {}
    for case, (demands, _) in CASES.items():
        own = [replace(demand, partition=f"{name}-{demand.partition}") for demand in demands]
        admitted[case] = await spend(limits, own, requests)
    return admitted


async def main(url: str) -> None:
    """Run rounds until the input ends."""
    limiter = RedisLimiter(url, timeout=10, retry=1)
    task = asyncio.create_task(limiter.run())
    await limiter.wait_first_attempt()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, requests = line.split()
        print(json.dumps(await run_round(limiter, name, int(requests))), flush=True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
