"""Section soak: half an hour at 70 % of what Lockgate can do; what it holds must stay as it is."""

import threading
import time
from pathlib import Path
from typing import Any

from tests.bench.contenders import CONTENDERS, Running, serving
from tests.bench.load import MOST_CONNECTIONS, at_rate, closed
from tests.bench.plan import Plan, say
from tests.bench.process_tree import cpu_seconds, memory, open_files
from tests.bench.rate import capacities
from tests.bench.stage import stage

SHARE = 0.7
EVERY_SECONDS = 10.0
WARMUP_MINUTES = 5.0


def run(plan: Plan) -> dict[str, Any]:
    """Load it and look at it every ten seconds; its log goes nowhere, for it would be long."""
    say(f"soak: {plan.minutes:g} minutes at {SHARE:.0%}")
    with (
        stage(delay_ms=0) as around,
        serving(CONTENDERS["lockgate"], around.surroundings, log=Path("/dev/null")) as running,
    ):
        rate = capacities([running], around)["lockgate"] * SHARE
        # As many at once as there can be: a stall of the machine would bring them all later.
        closed(around.target(running), connections=MOST_CONNECTIONS, warmup=0, seconds=10)
        observer = _Observer(running, rate)
        with observer:
            measured = at_rate(
                around.target(running), rate=rate, warmup=0, seconds=plan.minutes * 60
            )
    return {
        "minutes": plan.minutes,
        "rate": rate,
        "requests": measured.requests,
        "errors": measured.errors,
        "p50": measured.latency.p50,
        "p99": measured.latency.p99,
        "slope_mb_per_10_minutes": slope(observer.samples, at_warm_up_end(plan.minutes)),
        "samples": observer.samples,
    }


def at_warm_up_end(minutes: float) -> float:
    """From which minute of so many it must hold what it holds."""
    return min(WARMUP_MINUTES, minutes / 3)


def slope(samples: list[dict[str, float]], warmup_minutes: float) -> float:
    """MB of RSS in ten minutes, by least squares over what comes after the warm-up.

    Not of PSS: that changes with every other process that maps the same libraries.
    """
    points = [(one["minute"], one["rss_mb"]) for one in samples if one["minute"] >= warmup_minutes]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    across = sum((x - mean_x) ** 2 for x, _ in points)
    return 10 * sum((x - mean_x) * (y - mean_y) for x, y in points) / across


class _Observer:
    """Takes a sample in a thread of its own, every so often, for the length of the block."""

    def __init__(self, running: Running, rate: float) -> None:
        self.samples: list[dict[str, float]] = []
        self._pid, self._rate = running.process.pid, rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._observe)

    def __enter__(self) -> "_Observer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _observe(self) -> None:
        begun = before = time.monotonic()
        used_before = cpu_seconds(self._pid)
        while not self._over.wait(EVERY_SECONDS):
            at, used, held = time.monotonic(), cpu_seconds(self._pid), memory(self._pid)
            self.samples.append(
                {
                    "minute": (at - begun) / 60,
                    "pss_mb": held.pss,
                    "rss_mb": held.rss,
                    "open_files": open_files(self._pid),
                    "cpu_ms": (used - used_before) * 1000 / (self._rate * (at - before)),
                }
            )
            before, used_before = at, used
            if len(self.samples) % 6 == 0:
                say(f"  {self.samples[-1]}")
