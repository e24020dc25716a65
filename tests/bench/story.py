"""Section story: one user, then fifty at once, with services that take 200 ms each."""

from dataclasses import asdict
from typing import Any

from tests.bench.contenders import Running, serving
from tests.bench.load import Measured, all_answered, bursts, warm_up
from tests.bench.plan import Plan, say
from tests.bench.stage import Stage, stage

DELAY_MS, CLIENTS = 200, 50
ORDER = ("django", "usual", "node", "lockgate")
ALONE_ROUNDS, TOGETHER_ROUNDS = 10, {"django": 3, "usual": 5}
MOST_ROUNDS = 20


def run(plan: Plan) -> dict[str, Any]:
    """Let each contender serve one, and then all."""
    contenders = plan.of(ORDER)
    say(f"story: {len(contenders)} contenders, services of {DELAY_MS} ms, about a minute")
    found = {}
    with stage(delay_ms=DELAY_MS) as around:
        for contender in contenders:
            with serving(contender, around.surroundings) as running:
                found[contender.name] = _tell(running, around, plan)
    return {"delay_ms": DELAY_MS, "clients": CLIENTS, "contenders": found}


def _tell(running: Running, around: Stage, plan: Plan) -> dict[str, Any]:
    name, target = running.contender.name, around.target(running)
    rounds = 3 if plan.quick else TOGETHER_ROUNDS.get(name, MOST_ROUNDS)
    cold = warm_up(target, clients=CLIENTS)
    alone = bursts(target, clients=1, rounds=3 if plan.quick else ALONE_ROUNDS)
    together = bursts(target, clients=CLIENTS, rounds=rounds)
    for measured in (alone, together):
        all_answered(measured, name)
    say(f"  {name:11} one client {_shown(alone)}; {CLIENTS} at once {_shown(together)}")
    figures = {"alone": alone.latency, "together": together.latency, "cold": cold.first}
    return {name: asdict(latency) for name, latency in figures.items() if latency}


def _shown(measured: Measured) -> str:
    latency = measured.latency
    return f"p50 {latency.p50:.0f} ms, p99 {latency.p99:.0f} ms, slowest {latency.max:.0f} ms"
