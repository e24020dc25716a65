"""Section curves: CPU time of a call and of a part by the number of concurrent ones."""

import json
import subprocess
import sys
from dataclasses import replace
from statistics import median
from typing import Any

from tests.bench import call_cost, part_cost, pinning
from tests.bench.contenders import CONTENDERS, Backends, Contender, serve_contender
from tests.bench.load import require_success, run_closed_loop
from tests.bench.paths import ROOT
from tests.bench.plan import Plan, log
from tests.bench.processes import Command
from tests.bench.testbed import Testbed, open_testbed
from tests.e2e.transfers import Target

IN_FLIGHT = tuple(2**power for power in range(10))
HTTPX_IN_FLIGHT = tuple(count for count in IN_FLIGHT if count <= 128)
LINES = {"typed": IN_FLIGHT, "raw": IN_FLIGHT, "httpx": HTTPX_IN_FLIGHT}
PASSES = 3
CONNECTIONS = 16


def run(plan: Plan) -> dict[str, Any]:
    """Measure calls, then composites."""
    seconds = plan.seconds / 5
    points = sum(map(len, LINES.values()))
    log(f"curves: {points} points of calls, {len(part_cost.COUNTS)} of composites, about "
        f"{points * seconds * 1.5 + len(part_cost.COUNTS) * (plan.seconds + 1):.0f} s")  # fmt: skip
    with open_testbed(delay_ms=0) as testbed:
        return {
            "calls": _measure_calls(testbed, seconds),
            "parts": _measure_parts(testbed, plan.seconds),
            "connections": CONNECTIONS,
        }


def _measure_calls(testbed: Testbed, seconds: float) -> dict[str, list[list[float]]]:
    """Measure CPU microseconds by calls in flight: the median of PASSES, the kinds in turn."""
    passes: dict[str, list[list[float]]] = {kind: [] for kind in LINES}
    for _ in range(PASSES):
        for kind, found in passes.items():
            found.append(_run_pass(kind, testbed, seconds / PASSES))
    lines = {}
    for kind, counts in LINES.items():
        each = [median(point) for point in zip(*passes[kind], strict=True)]
        lines[kind] = [list(point) for point in zip(counts, each, strict=True)]
        log(f"  {kind:5} " + ", ".join(f"{count:.0f}: {us:.0f} us" for count, us in lines[kind]))
    return lines


def _run_pass(kind: str, testbed: Testbed, seconds: float) -> list[float]:
    """Run one pass in its own process."""
    url = testbed.backends.upstream.urls["users"]
    arguments = [sys.executable, "-m", call_cost.__name__, kind, url, str(seconds)]
    arguments += map(str, LINES[kind])
    with pinning.pin_to(pinning.CONTENDER_CORE):
        done = subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, text=True)
    found: list[float] = json.loads(done.stdout)
    return found


def _measure_parts(testbed: Testbed, seconds: float) -> list[list[float]]:
    """Measure CPU microseconds of a request divided by the number of its parts."""
    found = []
    with serve_contender(_make_contender(), testbed.backends) as running:
        for count in part_cost.COUNTS:
            meter = testbed.make_meter(running)
            target = Target(running.port, part_cost.get_path(count))
            measured = run_closed_loop(
                target, connections=CONNECTIONS, warmup=1, seconds=seconds, on_window_edge=meter
            )
            require_success(measured, f"{count} parts")
            each = meter.seconds("subject") / measured.requests / count * 1e6
            log(f"  {count:2} parts: {each:.0f} us each")
            found.append([count, each])
    return found


def _make_contender() -> Contender:
    lockgate = CONTENDERS["lockgate"]

    def start(backends: Backends, port: int) -> Command:
        arguments = [sys.executable, "-m", part_cost.__name__]
        command = lockgate.start(backends, port)
        environment = {**command.environment, "LOCKGATE_UPSTREAMS__USERS__TIMEOUT": "30"}
        return replace(command, arguments=arguments, environment=environment)

    return replace(lockgate, name="parts", start=start)
