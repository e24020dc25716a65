"""The tables of docs/benchmarks.md, one for each section."""

from collections.abc import Mapping
from typing import Any

from tests.bench.ratios import over_rounds
from tests.docs.pages.markdown import table

TITLES = {
    "lockgate": "Lockgate",
    "usual": "usual",
    "django": "Django",
    "node": "Node",
    "node-cache": "Node, cached",
}

Found = Mapping[str, Any]


def cpu(found: Found) -> str:
    """CPU, capacity, latency and memory of everybody, the cheapest first."""
    contenders = found["contenders"]
    lockgate = over_rounds(contenders["lockgate"], "cpu_ms").median
    head = (
        "", "CPU of a dashboard, ms", "beside Lockgate", "dashboards a second", "p50, ms",
        "p99, ms", "memory, MB",
    )  # fmt: skip
    ordered = sorted(contenders, key=lambda name: over_rounds(contenders[name], "cpu_ms").median)
    rows = []
    for name in ordered:
        one = contenders[name]
        cost = over_rounds(one, "cpu_ms")
        rows.append(
            [TITLES[name], str(cost), f"{number(cost.median / lockgate)}x"]
            + [number(over_rounds(one, figure).median) for figure in ("throughput", "p50", "p99")]
            + [number(one["pss_mb"])]
        )
    return table(head, rows)


def bystanders(found: Found) -> str:
    """That neither the services nor Redis held anybody up, and how quiet the machine was."""
    rounds = [one for contender in found["contenders"].values() for one in contender["rounds"]]
    services, redis = (max(one[f"{who}_core"] for one in rounds) for who in ("upstream", "redis"))
    had = [one["core"] for one in rounds]
    return (
        f"The services used {services:.0%} of their core at most, Redis {redis:.0%}. Who was "
        f"measured had {min(had):.0%} to {max(had):.0%} of its own core; what lacks to 100% others "
        "on the machine took. Memory is what the processes hold after the run, pages that they "
        "share counted once (PSS)."
    )


def rate(found: Found) -> str:
    """Lockgate and Node at each rate."""
    names = [name for name in TITLES if name in found["rates"][0]]
    head = ["requests a second"] + [
        f"{TITLES[name]}, {what}" for name in names for what in ("p50 ms", "p99 ms", "not 200")
    ]
    return table(
        head,
        [
            [f"{one['rate']:.0f} ({one['share']:.0%})"]
            + [
                shown
                for name in names
                for shown in (
                    number(one[name]["p50"]), number(one[name]["p99"]), str(one[name]["errors"])
                )
            ]
            for one in found["rates"]
        ],
    )  # fmt: skip


def story(found: Found) -> str:
    """Everybody alone and together."""
    head = (
        "", "alone, p50 ms", "alone, slowest ms", "together, p50 ms", "together, p99 ms",
        "just started, p99 ms",
    )  # fmt: skip
    rows = []
    for name, one in found["contenders"].items():
        alone, together = one["alone"], one["together"]
        rows.append(
            [TITLES[name]]
            + [number(one) for one in (alone["p50"], alone["max"], together["p50"])]
            + [number(together["p99"]), number(one["cold"]["p99"])]
        )
    return table(head, rows)


def calls(found: Found) -> str:
    """The first picture in figures."""
    lines = {kind: dict(map(tuple, points)) for kind, points in found["calls"].items()}
    names = {"typed": "typed client", "raw": "raw transport", "httpx": "httpx's transport"}
    rows = [
        [f"{count:.0f}"] + [number(lines[kind].get(count)) for kind in names]
        for count in lines["typed"]
    ]
    return table(["calls in flight", *(f"{name}, us" for name in names.values())], rows)


def parts(found: Found) -> str:
    """The second picture in figures."""
    return table(
        ["parts", "us of CPU for each"],
        [[f"{count:.0f}", number(us)] for count, us in found["parts"]],
    )


def number(value: float | None) -> str:
    """Three digits of it, without an exponent."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
