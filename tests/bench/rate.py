"""Section rate: how long a dashboard takes when so many are asked for each second.

The rates are shares of what Lockgate can do at most, and Node is asked for the same.
"""

from contextlib import ExitStack
from typing import Any

from tests.bench.contenders import Running, serving
from tests.bench.load import at_rate, closed, warm_up
from tests.bench.plan import Plan, say
from tests.bench.stage import Stage, stage

SHARES = (0.3, 0.5, 0.7)
CONNECTIONS = 64
WARMUP_SECONDS = 2.0


def run(plan: Plan) -> dict[str, Any]:
    """Each rate in turn, Lockgate and Node one after the other."""
    seconds = plan.seconds * 1.6
    say(f"rate: {len(SHARES)} rates, about {6 * (seconds + WARMUP_SECONDS) + 15:.0f} s")
    with stage(delay_ms=0) as around, ExitStack() as stack:
        contenders = plan.of(("lockgate", "node-cache"))
        running = [stack.enter_context(serving(c, around.surroundings)) for c in contenders]
        most = capacities(running, around)
        lockgate = next(iter(most.values()))
        measured = [
            {"share": share, "rate": lockgate * share}
            | {
                one.contender.name: _measure(one, around, lockgate * share, seconds)
                for one in running
            }
            for share in SHARES
        ]
    return {"capacity": most, "rates": measured}


def capacities(running: list[Running], around: Stage) -> dict[str, float]:
    """How many a second each can do flat out."""
    found = {}
    for one in running:
        warm_up(around.target(one), clients=CONNECTIONS)
        measured = closed(around.target(one), connections=CONNECTIONS, warmup=3, seconds=4)
        found[one.contender.name] = measured.throughput
        say(f"  {one.contender.name:11} can do {measured.throughput:.0f}/s")
    return found


def _measure(one: Running, around: Stage, rate: float, seconds: float) -> dict[str, Any]:
    meter = around.meter(one)
    measured = at_rate(
        around.target(one), rate=rate, warmup=WARMUP_SECONDS, seconds=seconds, edge=meter
    )
    latency = measured.latency
    say(
        f"  {one.contender.name:11} at {rate:5.0f}/s: p50 {latency.p50} ms, p99 {latency.p99} ms, "
        f"errors {measured.errors}"
    )
    return {
        "p50": latency.p50,
        "p99": latency.p99,
        "errors": measured.errors,
        "core": meter.share("subject"),
        "load": measured.throughput,
    }
