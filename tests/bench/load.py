"""The load on a contender and what came of it: one run of the C program (native/load.c)."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench import pinning
from tests.bench.programs import program

MOST_CONNECTIONS = 512
_GRACE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked, and with which token."""

    port: int
    path: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds (nearest rank); None where nothing was answered."""

    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one load: `requests` were answered 200, `errors` otherwise or never.

    `first` is the first round of a burst, which none of the other figures hold.
    """

    requests: int
    errors: int
    throughput: float
    latency: Latency
    statuses: Mapping[str, int]
    first: Latency | None = None


class LoadFailed(Exception):
    """What was measured did not answer as it should, so that its figures mean nothing."""


Edge = Callable[[], None]
"""Called when the measured window opens, and again when it closes."""


def nothing() -> None:
    """An edge at which nothing is read."""


def all_answered(measured: Measured, who: str) -> Measured:
    """The same, if every answer was a 200.

    Raises:
        LoadFailed: there was another, or none at all.
    """
    if measured.errors or not measured.requests:
        raise LoadFailed(f"{who}: {dict(measured.statuses) or 'nothing answered'}")
    return measured


def closed(
    target: Target, *, connections: int, warmup: float, seconds: float, edge: Edge = nothing
) -> Measured:
    """Every client asks again as soon as it has its answer."""
    options = {"connections": connections, "warmup": warmup, "seconds": seconds}
    return _run("closed", target, options, warmup + seconds, edge)


def at_rate(
    target: Target, *, rate: float, warmup: float, seconds: float, edge: Edge = nothing
) -> Measured:
    """So many requests are due each second, and their latency counts from when they are."""
    options = {
        "connections": MOST_CONNECTIONS, "rate": rate, "warmup": warmup, "seconds": seconds,
    }  # fmt: skip
    return _run("rate", target, options, warmup + seconds, edge)


def bursts(target: Target, *, clients: int, rounds: int, edge: Edge = nothing) -> Measured:
    """All clients ask at once, in so many rounds after a first one that is told apart."""
    options = {"connections": clients, "rounds": rounds}
    return _run("burst", target, options, 31.0 * (rounds + 1), edge)


def warm_up(target: Target, *, clients: int) -> Measured:
    """Let it import, connect and compile what it only does when asked; `first` is when it did."""
    return all_answered(bursts(target, clients=clients, rounds=1), "the warm-up")


def _run(
    mode: str, target: Target, options: Mapping[str, float], seconds: float, edge: Edge
) -> Measured:
    words = [str(program("load")), mode, "--port", str(target.port), "--path", target.path]
    words += ["--token", target.token]
    words += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with pinning.on(pinning.REST):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout
            said = ""
            for said in process.stdout:
                if said in {"measuring\n", "measured\n"}:
                    edge()
            if process.wait(seconds + _GRACE_SECONDS):
                raise LoadFailed(f"the load on port {target.port} ended early")
        finally:
            process.kill()
    return _measured(json.loads(said))


def _measured(found: dict[str, Any]) -> Measured:
    first = found.get("first")
    return Measured(
        requests=found["requests"],
        errors=found["errors"],
        throughput=found["throughput"],
        latency=_latency(found),
        statuses=found["statuses"],
        first=_latency(first) if first else None,
    )


def _latency(found: Mapping[str, float | None]) -> Latency:
    return Latency(found["p50"], found["p90"], found["p99"], found["max"])
