"""Section story: latency for 1 and for 50 concurrent clients, with services of 200 ms."""

from dataclasses import asdict
from typing import Any

from tests.bench.contenders import Running, serve_contender
from tests.bench.load import LoadResult, require_success, run_bursts, warm_up
from tests.bench.plan import Plan, log
from tests.bench.testbed import Testbed, open_testbed

DELAY_MS, CLIENTS = 200, 50
ORDER = ("django", "usual", "node", "lockgate")
ALONE_ROUNDS, TOGETHER_ROUNDS = 10, {"django": 3, "usual": 5}
MAX_ROUNDS = 20


def run(plan: Plan) -> dict[str, Any]:
    """Measure each contender with one client, then with all."""
    contenders = plan.select(ORDER)
    log(f"story: {len(contenders)} contenders, services of {DELAY_MS} ms, about a minute")
    found = {}
    with open_testbed(delay_ms=DELAY_MS) as testbed:
        for contender in contenders:
            with serve_contender(contender, testbed.backends) as running:
                found[contender.name] = _measure(running, testbed, plan)
    return {"delay_ms": DELAY_MS, "clients": CLIENTS, "contenders": found}


def _measure(running: Running, testbed: Testbed, plan: Plan) -> dict[str, Any]:
    name, target = running.contender.name, testbed.make_target(running)
    rounds = 3 if plan.quick else TOGETHER_ROUNDS.get(name, MAX_ROUNDS)
    cold = warm_up(target, clients=CLIENTS)
    alone = run_bursts(target, clients=1, rounds=3 if plan.quick else ALONE_ROUNDS)
    together = run_bursts(target, clients=CLIENTS, rounds=rounds)
    for measured in (alone, together):
        require_success(measured, name)
    log(f"  {name:11} one client {_format(alone)}; {CLIENTS} concurrent {_format(together)}")
    figures = {"alone": alone.latency, "together": together.latency, "cold": cold.first}
    return {name: asdict(latency) for name, latency in figures.items() if latency}


def _format(measured: LoadResult) -> str:
    latency = measured.latency
    return f"p50 {latency.p50:.0f} ms, p99 {latency.p99:.0f} ms, slowest {latency.max:.0f} ms"
