"""The sections of the benchmark by name; a new section needs its file and an entry here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench import (
    burst_latency,
    concurrency_curves,
    constant_rate,
    cpu,
    goals,
    proxy,
    soak,
    token_cost,
)
from tests.bench.goals import Goal
from tests.bench.plan import Plan

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A section: a short description, the function that runs it, and its goals."""

    purpose: str
    run: Callable[[Plan], Found]
    goals: Callable[[Mapping[str, Any]], Iterator[Goal]] = lambda _: iter(())
    by_default: bool = True


SECTIONS: Mapping[str, Section] = {
    "cpu": Section("CPU time of a dashboard, compared with the peers", cpu.run, goals.check_cpu),
    "rate": Section("latency at a constant rate, compared with Node", constant_rate.run),
    "story": Section(
        "latency for 1 and 50 clients, services of 200 ms",
        burst_latency.run,
        goals.check_burst_latency,
    ),
    "curves": Section("CPU time of a call and of a part by concurrency", concurrency_curves.run),
    "proxy": Section(
        "CPU time of proxied requests and bodies, compared with other proxies",
        proxy.run,
        goals.check_proxy,
    ),
    "tokens": Section(
        "CPU time of the token endpoint, compared with oidc-provider", token_cost.run
    ),
    "soak": Section("memory over 30 minutes", soak.run, goals.check_soak, by_default=False),
}
