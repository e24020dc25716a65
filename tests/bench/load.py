"""Runs the load generator (native/load.c) against a contender and returns its figures."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench import pinning
from tests.bench.programs import compile_program
from tests.e2e.transfers import Target

MAX_CONNECTIONS = 512
_GRACE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds (nearest rank); None if there was no response."""

    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of one run: `requests` received a 200, `errors` another status or no response.

    `first` is the first round of bursts, which the other figures exclude.
    """

    requests: int
    errors: int
    throughput: float
    latency: Latency
    statuses: Mapping[str, int]
    first: Latency | None = None


class LoadFailed(Exception):
    """A contender returned errors, so its figures are meaningless."""


WindowCallback = Callable[[], None]
"""Called when the measured window opens, and again when it closes."""


def ignore_edge() -> None:
    """Do nothing when the measured window opens or closes."""


def require_success(measured: LoadResult, name: str) -> LoadResult:
    """Return the result if every response was a 200.

    Raises:
        LoadFailed: another status, or no response at all.
    """
    if measured.errors or not measured.requests:
        raise LoadFailed(f"{name}: {dict(measured.statuses) or 'no response'}")
    return measured


def run_closed_loop(
    target: Target,
    *,
    connections: int,
    warmup: float,
    seconds: float,
    on_window_edge: WindowCallback = ignore_edge,
) -> LoadResult:
    """Each client sends the next request as soon as it has a response (closed loop)."""
    options = {"connections": connections, "warmup": warmup, "seconds": seconds}
    return _run("closed", target, options, warmup + seconds, on_window_edge)


def run_at_rate(
    target: Target,
    *,
    rate: float,
    warmup: float,
    seconds: float,
    on_window_edge: WindowCallback = ignore_edge,
) -> LoadResult:
    """Send `rate` requests per second; a latency counts from when its request was due."""
    options = {
        "connections": MAX_CONNECTIONS, "rate": rate, "warmup": warmup, "seconds": seconds,
    }  # fmt: skip
    return _run("rate", target, options, warmup + seconds, on_window_edge)


def run_bursts(
    target: Target, *, clients: int, rounds: int, on_window_edge: WindowCallback = ignore_edge
) -> LoadResult:
    """All clients send a request at once, in `rounds` rounds after a first, separate one."""
    options = {"connections": clients, "rounds": rounds}
    return _run("burst", target, options, 31.0 * (rounds + 1), on_window_edge)


def warm_up(target: Target, *, clients: int) -> LoadResult:
    """Make the contender import and connect lazily; `first` holds the latencies of doing so."""
    return require_success(run_bursts(target, clients=clients, rounds=1), "the warm-up")


def _run(
    mode: str,
    target: Target,
    options: Mapping[str, float],
    seconds: float,
    on_window_edge: WindowCallback,
) -> LoadResult:
    arguments = [
        str(compile_program("load")),
        mode,
        "--port",
        str(target.port),
        "--path",
        target.path,
    ]
    arguments += ["--token", target.token]
    arguments += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with pinning.pin_to(pinning.OTHER_CORE):
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout
            line = ""
            for line in process.stdout:
                if line in {"measuring\n", "measured\n"}:
                    on_window_edge()
            if process.wait(seconds + _GRACE_SECONDS):
                raise LoadFailed(f"the load generator failed on port {target.port}")
        finally:
            process.kill()
    return _parse_result(json.loads(line))


def _parse_result(found: dict[str, Any]) -> LoadResult:
    first = found.get("first")
    return LoadResult(
        requests=found["requests"],
        errors=found["errors"],
        throughput=found["throughput"],
        latency=_parse_latency(found),
        statuses=found["statuses"],
        first=_parse_latency(first) if first else None,
    )


def _parse_latency(found: Mapping[str, float | None]) -> Latency:
    return Latency(found["p50"], found["p90"], found["p99"], found["max"])
