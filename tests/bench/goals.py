"""The performance goals of Lockgate, and whether a result meets them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench.ratios import compare_rounds, summarize_rounds

Contenders = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """A measured figure and its bound: an upper bound, or a lower one if `is_lower_bound`."""

    name: str
    measured: float
    bound: float
    is_lower_bound: bool = False
    spread: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the figure is within its bound."""
        if self.is_lower_bound:
            return self.measured >= self.bound
        return self.measured <= self.bound

    def __str__(self) -> str:
        """Format the goal as one line."""
        bound = f"{'at least' if self.is_lower_bound else 'at most'} {self.bound:g}"
        verdict = "met" if self.is_met else "MISSED"
        return f"{self.name}: {self.spread or f'{self.measured:.4g}'}; goal: {bound}; {verdict}"


def check_cpu(found: Mapping[str, Any]) -> Iterator[Goal]:
    """Compare CPU time with the faster Node and with "usual", as far as they were measured."""
    contenders: Contenders = found["contenders"]
    if "lockgate" not in contenders:
        return
    lockgate = contenders["lockgate"]
    if faster := _find_faster_node(contenders, "cpu_ms"):
        cpu_ratio = compare_rounds(lockgate, faster, "cpu_ms")
        yield Goal("CPU, Lockgate / faster Node", cpu_ratio.median, 0.8, spread=str(cpu_ratio))
    if "usual" in contenders:
        cpu_ratio = compare_rounds(contenders["usual"], lockgate, "cpu_ms")
        yield Goal(
            "CPU, usual / Lockgate",
            cpu_ratio.median,
            80,
            is_lower_bound=True,
            spread=str(cpu_ratio),
        )


def check_proxy(found: Mapping[str, Any]) -> Iterator[Goal]:
    """Compare a proxy's CPU time with the others, and check its memory and its delay of events."""
    contenders: Contenders = found["contenders"]
    if "lockgate" not in contenders:
        return
    lockgate = contenders["lockgate"]
    if "usual" in contenders:
        ratio = compare_rounds(contenders["usual"], lockgate, "cpu_ms")
        yield Goal(
            "CPU of a small request, usual / Lockgate",
            ratio.median,
            4,
            is_lower_bound=True,
            spread=str(ratio),
        )
    if faster := _find_faster_node(contenders, "cpu_ms"):
        ratio = compare_rounds(lockgate, faster, "cpu_ms")
        yield Goal(
            "CPU of a small request, Lockgate / faster Node", ratio.median, 1.5, spread=str(ratio)
        )
    for way in ("download", "upload"):
        if faster := _find_faster_node(contenders, f"{way}_cpu", "transfers"):
            ratio = compare_rounds(lockgate, faster, f"{way}_cpu", "transfers")
            name = f"CPU of a large {way}, Lockgate / faster Node"
            yield Goal(name, ratio.median, 1.5, spread=str(ratio))
        growth = max(one[f"{way}_mb"] for one in lockgate["transfers"])
        yield Goal(f"memory growth of Lockgate during a large {way}, MB", growth, 20)
    slowest = max(one["first_event_ms"] for one in lockgate["events"])
    yield Goal("first event of a stream, slowest delay, Lockgate, ms", slowest, 5)


def _find_faster_node(
    contenders: Contenders, figure: str, kind: str = "rounds"
) -> Mapping[str, Any] | None:
    nodes = [contenders[name] for name in ("node", "node-cache") if name in contenders]
    return min(nodes, key=lambda one: summarize_rounds(one, figure, kind).median, default=None)


def check_burst_latency(found: Mapping[str, Any]) -> Iterator[Goal]:
    """Check the latencies of 1 and of 50 concurrent clients, with services of 200 ms."""
    lockgate = found["contenders"].get("lockgate")
    if lockgate:
        yield Goal("one client, Lockgate, p50 ms", lockgate["alone"]["p50"], 210)
        yield Goal("50 concurrent clients, Lockgate, p50 ms", lockgate["together"]["p50"], 215)
        yield Goal("50 concurrent clients, Lockgate, p99 ms", lockgate["together"]["p99"], 300)


def check_soak(found: Mapping[str, Any]) -> Iterator[Goal]:
    """Check memory growth after the warm-up, and errors."""
    yield Goal("memory, MB per 10 minutes", found["slope_mb_per_10_minutes"], 1)
    yield Goal("responses other than 200", found["errors"], 0)
