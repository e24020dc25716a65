"""Section cpu: CPU time and throughput of a dashboard at full load.

The contenders take turns (A B C, A B C ...), so that other load on the machine affects all.
"""

from contextlib import ExitStack
from typing import Any

from tests.bench.contenders import CONTENDERS, Running, serve_contender
from tests.bench.load import require_success, run_closed_loop, warm_up
from tests.bench.plan import Plan, log
from tests.bench.process_tree import measure_memory
from tests.bench.testbed import Testbed, open_testbed

CONNECTIONS = 64
WARMUP_SECONDS, FIRST_WARMUP_SECONDS = 1.0, 8.0

# Other load comes and goes within seconds. With many short turns it affects all contenders alike.
MAX_TURN_SECONDS = 2.0

# "usual" responds in waves of about 1.6 s; a short turn would count one too many or too few.
LONGER_TURNS = {"usual": 5}


def run(plan: Plan) -> dict[str, Any]:
    """Measure every contender in every round."""
    contenders = plan.select(tuple(CONTENDERS))
    about = sum(
        plan.rounds * (_get_turn_seconds(plan, contender.name) + WARMUP_SECONDS)
        + FIRST_WARMUP_SECONDS
        for contender in contenders
    )
    log(f"cpu: {len(contenders)} contenders, {plan.rounds} rounds, about {about:.0f} s")
    found: dict[str, Any] = {}
    with open_testbed(delay_ms=0) as testbed, ExitStack() as stack:
        running = [stack.enter_context(serve_contender(c, testbed.backends)) for c in contenders]
        for one in running:
            warm_up(testbed.make_target(one), clients=CONNECTIONS)
        for number in range(plan.rounds):
            for one in running:
                measured = _measure(one, testbed, plan, first=number == 0)
                _log_result(one, measured)
                found.setdefault(one.contender.name, {"rounds": []})["rounds"].append(measured)
        for one in running:
            memory = measure_memory(one.process.pid)
            found[one.contender.name] |= {"rss_mb": memory.rss, "pss_mb": memory.pss}
    return {"connections": CONNECTIONS, "contenders": found}


def _measure(one: Running, testbed: Testbed, plan: Plan, *, first: bool) -> dict[str, Any]:
    name, meter = one.contender.name, testbed.make_meter(one)
    measured = run_closed_loop(
        testbed.make_target(one),
        connections=CONNECTIONS,
        warmup=FIRST_WARMUP_SECONDS if first else WARMUP_SECONDS,
        seconds=_get_turn_seconds(plan, name),
        on_window_edge=meter,
    )
    require_success(measured, name)
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


def _get_turn_seconds(plan: Plan, name: str) -> float:
    return LONGER_TURNS.get(name, 1) * min(plan.seconds, MAX_TURN_SECONDS)


def _log_result(one: Running, found: dict[str, Any]) -> None:
    log(
        f"  {one.contender.name:11} {found['cpu_ms']:8.3f} ms CPU  {found['throughput']:7.0f}/s  "
        f"p50 {found['p50']:7.1f} ms  p99 {found['p99']:7.1f} ms  "
        f"core {found['core']:4.0%}, services {found['upstream_core']:3.0%}, "
        f"Redis {found['redis_core']:3.0%}"
    )
