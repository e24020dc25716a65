"""What Lockgate is held to, and whether a result reaches it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench.ratios import over_rounds, ratio

Contenders = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """What was measured beside what it should be: at most, or at least, so much."""

    what: str
    measured: float
    wanted: float
    at_least: bool = False
    spread: str = ""

    @property
    def reached(self) -> bool:
        """Whether it is good enough."""
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted

    def __str__(self) -> str:
        """One line."""
        wanted = f"{'at least' if self.at_least else 'at most'} {self.wanted:g}"
        verdict = "reached" if self.reached else "MISSED"
        return f"{self.what}: {self.spread or f'{self.measured:.4g}'}, {wanted}: {verdict}"


def cpu(found: Mapping[str, Any]) -> Iterator[Bar]:
    """CPU of a dashboard beside the faster Node and the usual way; of those that were there."""
    contenders: Contenders = found["contenders"]
    if "lockgate" not in contenders:
        return
    lockgate = contenders["lockgate"]
    nodes = [contenders[name] for name in ("node", "node-cache") if name in contenders]
    if nodes:
        faster = min(nodes, key=lambda one: over_rounds(one, "cpu_ms").median)
        found_ratio = ratio(lockgate, faster, "cpu_ms")
        yield Bar("CPU, Lockgate / faster Node", found_ratio.median, 0.8, spread=str(found_ratio))
    if "usual" in contenders:
        found_ratio = ratio(contenders["usual"], lockgate, "cpu_ms")
        yield Bar(
            "CPU, usual / Lockgate", found_ratio.median, 80, at_least=True, spread=str(found_ratio)
        )


def story(found: Mapping[str, Any]) -> Iterator[Bar]:
    """One user, and fifty at once, with services of 200 ms."""
    lockgate = found["contenders"].get("lockgate")
    if lockgate:
        yield Bar("one client, Lockgate, p50 ms", lockgate["alone"]["p50"], 210)
        yield Bar("50 clients at once, Lockgate, p50 ms", lockgate["together"]["p50"], 215)
        yield Bar("50 clients at once, Lockgate, p99 ms", lockgate["together"]["p99"], 300)


def soak(found: Mapping[str, Any]) -> Iterator[Bar]:
    """What it holds after the warm-up."""
    yield Bar("memory, MB per 10 minutes", found["slope_mb_per_10_minutes"], 1)
    yield Bar("requests of the soak not answered 200", found["errors"], 0)
