"""Section soak: 30 minutes at 70 % of the maximum throughput; memory must stay constant."""

import threading
import time
from pathlib import Path
from typing import Any

from tests.bench.constant_rate import measure_capacities
from tests.bench.contenders import CONTENDERS, Running, serve_contender
from tests.bench.load import MAX_CONNECTIONS, run_at_rate, run_closed_loop
from tests.bench.plan import Plan, log
from tests.bench.process_tree import count_open_files, measure_memory, read_cpu_seconds
from tests.bench.testbed import open_testbed

LOAD_SHARE = 0.7
SAMPLE_INTERVAL = 10.0
WARMUP_MINUTES = 5.0


def run(plan: Plan) -> dict[str, Any]:
    """Load Lockgate and sample it every 10 s; the access log is discarded because of its size."""
    log(f"soak: {plan.minutes:g} minutes at {LOAD_SHARE:.0%}")
    with (
        open_testbed(delay_ms=0) as testbed,
        serve_contender(CONTENDERS["lockgate"], testbed.backends, log=Path("/dev/null")) as running,
    ):
        rate = measure_capacities([running], testbed)["lockgate"] * LOAD_SHARE
        # Reach the maximum concurrency now; otherwise a stall of the machine would reach it later.
        run_closed_loop(
            testbed.make_target(running), connections=MAX_CONNECTIONS, warmup=0, seconds=10
        )
        observer = _Observer(running, rate)
        with observer:
            measured = run_at_rate(
                testbed.make_target(running), rate=rate, warmup=0, seconds=plan.minutes * 60
            )
    return {
        "minutes": plan.minutes,
        "rate": rate,
        "requests": measured.requests,
        "errors": measured.errors,
        "p50": measured.latency.p50,
        "p99": measured.latency.p99,
        "slope_mb_per_10_minutes": fit_slope(observer.samples, get_warm_up_end(plan.minutes)),
        "samples": observer.samples,
    }


def get_warm_up_end(minutes: float) -> float:
    """Return the minute at which the warm-up of a soak ends."""
    return min(WARMUP_MINUTES, minutes / 3)


def fit_slope(samples: list[dict[str, float]], warmup_minutes: float) -> float:
    """Fit the growth of RSS after the warm-up by least squares, in MB per 10 minutes.

    PSS is not used, because it changes with every other process that maps the same libraries.
    """
    points = [(one["minute"], one["rss_mb"]) for one in samples if one["minute"] >= warmup_minutes]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    across = sum((x - mean_x) ** 2 for x, _ in points)
    return 10 * sum((x - mean_x) * (y - mean_y) for x, y in points) / across


class _Observer:
    """Takes a sample every SAMPLE_INTERVAL during the block, in its own thread."""

    def __init__(self, running: Running, rate: float) -> None:
        self.samples: list[dict[str, float]] = []
        self._pid, self._rate = running.process.pid, rate
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._observe)

    def __enter__(self) -> "_Observer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _observe(self) -> None:
        started_at = before = time.monotonic()
        used_before = read_cpu_seconds(self._pid)
        while not self._stopped.wait(SAMPLE_INTERVAL):
            at, used, memory = (
                time.monotonic(),
                read_cpu_seconds(self._pid),
                measure_memory(self._pid),
            )
            self.samples.append(
                {
                    "minute": (at - started_at) / 60,
                    "pss_mb": memory.pss,
                    "rss_mb": memory.rss,
                    "open_files": count_open_files(self._pid),
                    "cpu_ms": (used - used_before) * 1000 / (self._rate * (at - before)),
                }
            )
            before, used_before = at, used
            if len(self.samples) % 6 == 0:
                log(f"  {self.samples[-1]}")
