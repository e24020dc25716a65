"""Section cpu: what one dashboard costs, and how many there are in a second, flat out.

The contenders take turns (A B C, A B C ...), so that what disturbs the machine disturbs all.
"""

from contextlib import ExitStack
from typing import Any

from tests.bench.contenders import CONTENDERS, Running, serving
from tests.bench.load import all_answered, closed, warm_up
from tests.bench.plan import Plan, say
from tests.bench.process_tree import memory
from tests.bench.stage import Stage, stage

CONNECTIONS = 64
WARMUP_SECONDS, FIRST_WARMUP_SECONDS = 1.0, 8.0

# What disturbs a machine comes and goes within seconds: many short turns meet it alike.
LONGEST_TURN_SECONDS = 2.0

# It answers in waves of some 1.6 seconds: of those a short turn counts one too many or too few.
LONGER_TURNS = {"usual": 5}


def run(plan: Plan) -> dict[str, Any]:
    """Measure every contender in every round."""
    contenders = plan.of(tuple(CONTENDERS))
    about = sum(
        plan.rounds * (_turn(plan, contender.name) + WARMUP_SECONDS) + FIRST_WARMUP_SECONDS
        for contender in contenders
    )
    say(f"cpu: {len(contenders)} contenders, {plan.rounds} rounds, about {about:.0f} s")
    found: dict[str, Any] = {}
    with stage(delay_ms=0) as around, ExitStack() as stack:
        running = [stack.enter_context(serving(c, around.surroundings)) for c in contenders]
        for one in running:
            warm_up(around.target(one), clients=CONNECTIONS)
        for number in range(plan.rounds):
            for one in running:
                measured = _measure(one, around, plan, first=number == 0)
                _say(one, measured)
                found.setdefault(one.contender.name, {"rounds": []})["rounds"].append(measured)
        for one in running:
            held = memory(one.process.pid)
            found[one.contender.name] |= {"rss_mb": held.rss, "pss_mb": held.pss}
    return {"connections": CONNECTIONS, "contenders": found}


def _measure(one: Running, around: Stage, plan: Plan, *, first: bool) -> dict[str, Any]:
    name, meter = one.contender.name, around.meter(one)
    measured = closed(
        around.target(one),
        connections=CONNECTIONS,
        warmup=FIRST_WARMUP_SECONDS if first else WARMUP_SECONDS,
        seconds=_turn(plan, name),
        edge=meter,
    )
    all_answered(measured, name)
    return {
        "requests": measured.requests,
        "cpu_ms": meter.seconds("subject") * 1000 / measured.requests,
        "throughput": measured.throughput,
        "p50": measured.latency.p50,
        "p99": measured.latency.p99,
        "core": meter.share("subject"),
        "upstream_core": meter.share("upstream"),
        "redis_core": meter.share("redis"),
    }


def _turn(plan: Plan, name: str) -> float:
    return LONGER_TURNS.get(name, 1) * min(plan.seconds, LONGEST_TURN_SECONDS)


def _say(one: Running, found: dict[str, Any]) -> None:
    say(
        f"  {one.contender.name:11} {found['cpu_ms']:8.3f} ms CPU  {found['throughput']:7.0f}/s  "
        f"p50 {found['p50']:7.1f} ms  p99 {found['p99']:7.1f} ms  "
        f"of a core {found['core']:4.0%}, services {found['upstream_core']:3.0%}, "
        f"Redis {found['redis_core']:3.0%}"
    )
