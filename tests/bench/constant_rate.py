"""Section rate: latency of a dashboard at a constant request rate.

The rates are shares of Lockgate's maximum throughput, and Node gets the same rates.
"""

from contextlib import ExitStack
from typing import Any

from tests.bench.contenders import Running, serve_contender
from tests.bench.load import run_at_rate, run_closed_loop, warm_up
from tests.bench.plan import Plan, log
from tests.bench.testbed import Testbed, open_testbed

SHARES = (0.3, 0.5, 0.7)
CONNECTIONS = 64
WARMUP_SECONDS = 2.0


def run(plan: Plan) -> dict[str, Any]:
    """Measure each rate, Lockgate and Node one after the other."""
    seconds = plan.seconds * 1.6
    log(f"rate: {len(SHARES)} rates, about {6 * (seconds + WARMUP_SECONDS) + 15:.0f} s")
    with open_testbed(delay_ms=0) as testbed, ExitStack() as stack:
        contenders = plan.select(("lockgate", "node-cache"))
        running = [stack.enter_context(serve_contender(c, testbed.backends)) for c in contenders]
        capacity = measure_capacities(running, testbed)
        lockgate = next(iter(capacity.values()))
        measured = [
            {"share": share, "rate": lockgate * share}
            | {
                one.contender.name: _measure(one, testbed, lockgate * share, seconds)
                for one in running
            }
            for share in SHARES
        ]
    return {"capacity": capacity, "rates": measured}


def measure_capacities(running: list[Running], testbed: Testbed) -> dict[str, float]:
    """Measure the maximum throughput of each contender, in requests per second."""
    found = {}
    for one in running:
        warm_up(testbed.make_target(one), clients=CONNECTIONS)
        measured = run_closed_loop(
            testbed.make_target(one), connections=CONNECTIONS, warmup=3, seconds=4
        )
        found[one.contender.name] = measured.throughput
        log(f"  {one.contender.name:11} maximum {measured.throughput:.0f}/s")
    return found


def _measure(one: Running, testbed: Testbed, rate: float, seconds: float) -> dict[str, Any]:
    meter = testbed.make_meter(one)
    measured = run_at_rate(
        testbed.make_target(one),
        rate=rate,
        warmup=WARMUP_SECONDS,
        seconds=seconds,
        on_window_edge=meter,
    )
    latency = measured.latency
    log(
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
