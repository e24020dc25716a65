"""Section curves: whether a call, or a part, gets dearer the more of them there are at once."""

import json
import subprocess
import sys
from dataclasses import replace
from statistics import median
from typing import Any

from tests.bench import calls, parts, pinning
from tests.bench.contenders import CONTENDERS, Contender, Surroundings, serving
from tests.bench.load import Target, all_answered, closed
from tests.bench.place import ROOT
from tests.bench.plan import Plan, say
from tests.bench.running import Command
from tests.bench.stage import Stage, stage

IN_FLIGHT = tuple(2**power for power in range(10))
BEARABLE = tuple(count for count in IN_FLIGHT if count <= 128)
LINES = {"typed": IN_FLIGHT, "raw": IN_FLIGHT, "httpx": BEARABLE}
PASSES = 3
CONNECTIONS = 16


def run(plan: Plan) -> dict[str, Any]:
    """Calls first, then composites."""
    seconds = plan.seconds / 5
    points = sum(map(len, LINES.values()))
    say(f"curves: {points} points of calls, {len(parts.COUNTS)} of composites, about "
        f"{points * seconds * 1.5 + len(parts.COUNTS) * (plan.seconds + 1):.0f} s")  # fmt: skip
    with stage(delay_ms=0) as around:
        return {
            "calls": _calls(around, seconds),
            "parts": _parts(around, plan.seconds),
            "connections": CONNECTIONS,
        }


def _calls(around: Stage, seconds: float) -> dict[str, list[list[float]]]:
    """Microseconds of CPU by calls in flight: the median of some passes, the kinds in turn."""
    passes: dict[str, list[list[float]]] = {kind: [] for kind in LINES}
    for _ in range(PASSES):
        for kind, found in passes.items():
            found.append(_pass(kind, around, seconds / PASSES))
    lines = {}
    for kind, counts in LINES.items():
        each = [median(point) for point in zip(*passes[kind], strict=True)]
        lines[kind] = [list(point) for point in zip(counts, each, strict=True)]
        say(f"  {kind:5} " + ", ".join(f"{count:.0f}: {us:.0f} us" for count, us in lines[kind]))
    return lines


def _pass(kind: str, around: Stage, seconds: float) -> list[float]:
    """One pass, in a process of its own."""
    url = around.surroundings.upstream.urls["users"]
    words = [sys.executable, "-m", calls.__name__, kind, url, str(seconds)]
    words += map(str, LINES[kind])
    with pinning.on(pinning.SUBJECT):
        done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    found: list[float] = json.loads(done.stdout)
    return found


def _parts(around: Stage, seconds: float) -> list[list[float]]:
    """Microseconds of CPU for each part by the number of parts, everything around them included."""
    found = []
    with serving(_with_parts(), around.surroundings) as running:
        for count in parts.COUNTS:
            meter = around.meter(running)
            target = Target(running.port, parts.path(count))
            measured = closed(
                target, connections=CONNECTIONS, warmup=1, seconds=seconds, edge=meter
            )
            all_answered(measured, f"{count} parts")
            each = meter.seconds("subject") / measured.requests / count * 1e6
            say(f"  {count:2} parts: {each:.0f} us each")
            found.append([count, each])
    return found


def _with_parts() -> Contender:
    lockgate = CONTENDERS["lockgate"]

    def start(surroundings: Surroundings, port: int) -> Command:
        words = [sys.executable, "-m", parts.__name__]
        command = lockgate.start(surroundings, port)
        patient = {**command.environment, "LOCKGATE_UPSTREAMS__USERS__TIMEOUT": "30"}
        return replace(command, words=words, environment=patient)

    return replace(lockgate, name="parts", start=start)
