"""Renders the tables of docs/benchmarks.md, one for each section."""

from collections.abc import Mapping
from typing import Any

from tests.bench.ratios import summarize_rounds
from tests.docs.pages.markdown import table

TITLES = {
    "lockgate": "Lockgate",
    "usual": "usual",
    "django": "Django",
    "node": "Node",
    "node-cache": "Node, cached",
    "nginx": "nginx, no token",
    "nginx-large": "nginx, no token, large buffers",
}

TOKEN_REQUESTS = {
    "secret": "client secret that the process knows",
    "first_secret": "client secret that is new to the process",
    "private_key_jwt": "assertion (`private_key_jwt`, ES256)",
    "exchange": "token exchange",
    "introspection": "introspection",
}

Found = Mapping[str, Any]


def make_cpu_table(found: Found) -> str:
    """Render CPU time, throughput, latency and memory of the contenders, by CPU time."""
    contenders = found["contenders"]
    lockgate = summarize_rounds(contenders["lockgate"], "cpu_ms").median
    head = (
        "", "CPU per dashboard, ms", "relative to Lockgate", "dashboards per second", "p50, ms",
        "p99, ms", "memory, MB",
    )  # fmt: skip
    ordered = sorted(
        contenders, key=lambda name: summarize_rounds(contenders[name], "cpu_ms").median
    )
    rows = []
    for name in ordered:
        one = contenders[name]
        cost = summarize_rounds(one, "cpu_ms")
        rows.append(
            [TITLES[name], str(cost), f"{format_number(cost.median / lockgate)}x"]
            + [
                format_number(summarize_rounds(one, figure).median)
                for figure in ("throughput", "p50", "p99")
            ]
            + [format_number(one["pss_mb"])]
        )
    return table(head, rows)


def describe_utilization(found: Found) -> str:
    """State how busy the services, Redis and the rest of the machine were."""
    rounds = [one for contender in found["contenders"].values() for one in contender["rounds"]]
    services, redis = (max(one[f"{name}_core"] for one in rounds) for name in ("upstream", "redis"))
    shares = [one["core"] for one in rounds]
    return (
        f"The services used at most {services:.0%} of their core, Redis at most {redis:.0%}. The "
        f"contenders used {min(shares):.0%} to {max(shares):.0%} of their core; other processes on "
        "the machine took the rest. Memory is the proportional set size (PSS) after the run, which "
        "counts shared pages once."
    )


def make_proxy_table(found: Found) -> str:
    """Render CPU time, throughput and latency of small proxied requests, by CPU time."""
    contenders = found["contenders"]
    lockgate = summarize_rounds(contenders["lockgate"], "cpu_ms").median
    head = (
        "", "CPU per request, ms", "relative to Lockgate", "requests per second", "p50, ms",
        "p99, ms",
    )  # fmt: skip
    costs = {name: summarize_rounds(one, "cpu_ms") for name, one in contenders.items()}
    return table(
        head,
        [
            [TITLES[name], str(cost), f"{format_number(cost.median / lockgate)}x"]
            + [
                format_number(summarize_rounds(contenders[name], figure).median)
                for figure in ("throughput", "p50", "p99")
            ]
            for name, cost in sorted(costs.items(), key=lambda item: item[1].median)
        ],
    )


def make_token_table(found: Found) -> str:
    """Render the CPU time of each kind of request to a token endpoint; a peer may not have it."""
    lockgate, peer = found["contenders"]["lockgate"], found["contenders"]["oidc-provider"]
    rows = [
        [
            title,
            *(
                str(summarize_rounds(one, "cpu_ms", kind)) if kind in one else ""
                for one in (lockgate, peer)
            ),
        ]
        for kind, title in TOKEN_REQUESTS.items()
    ]
    return table(("", "Lockgate, CPU ms", "oidc-provider, CPU ms"), rows)


def make_transfer_table(found: Found) -> str:
    """Render CPU time and memory of large bodies, and the delay of events."""
    head = (
        "", "download, CPU s per GB", "upload, CPU s per GB", "download, memory, MB",
        "upload, memory, MB", "first event, max ms", "later events, max ms",
    )  # fmt: skip
    columns = (
        ("download_cpu", "transfers"), ("upload_cpu", "transfers"), ("download_mb", "transfers"),
        ("upload_mb", "transfers"), ("first_event_ms", "events"), ("later_event_ms", "events"),
    )  # fmt: skip
    rows = [
        [TITLES[name]]
        + [format_number(summarize_rounds(one, figure, kind).median) for figure, kind in columns]
        for name, one in found["contenders"].items()
    ]
    return table(head, rows)


def make_rate_table(found: Found) -> str:
    """Render the latencies of Lockgate and Node at each rate."""
    names = [name for name in TITLES if name in found["rates"][0]]
    head = ["requests per second"] + [
        f"{TITLES[name]}, {figure}" for name in names for figure in ("p50 ms", "p99 ms", "not 200")
    ]
    return table(
        head,
        [
            [f"{one['rate']:.0f} ({one['share']:.0%})"]
            + [
                shown
                for name in names
                for shown in (
                    format_number(one[name]["p50"]), format_number(one[name]["p99"]),
                    str(one[name]["errors"]),
                )
            ]
            for one in found["rates"]
        ],
    )  # fmt: skip


def make_story_table(found: Found) -> str:
    """Render the latencies of each contender with one client and with all."""
    head = (
        "", "1 client, p50 ms", "1 client, max ms", "50 clients, p50 ms", "50 clients, p99 ms",
        "50 clients after start-up, p99 ms",
    )  # fmt: skip
    rows = []
    for name, one in found["contenders"].items():
        alone, together = one["alone"], one["together"]
        rows.append(
            [TITLES[name]]
            + [format_number(one) for one in (alone["p50"], alone["max"], together["p50"])]
            + [format_number(together["p99"]), format_number(one["cold"]["p99"])]
        )
    return table(head, rows)


def make_calls_table(found: Found) -> str:
    """Render the figures of the chart of calls."""
    lines = {kind: dict(map(tuple, points)) for kind, points in found["calls"].items()}
    names = {"typed": "typed client", "raw": "raw transport", "httpx": "httpx's transport"}
    rows = [
        [f"{count:.0f}"] + [format_number(lines[kind].get(count)) for kind in names]
        for count in lines["typed"]
    ]
    return table(["calls in flight", *(f"{name}, us" for name in names.values())], rows)


def make_parts_table(found: Found) -> str:
    """Render the figures of the chart of parts."""
    return table(
        ["parts", "CPU per part, us"],
        [[f"{count:.0f}", format_number(us)] for count, us in found["parts"]],
    )


def format_number(value: float | None) -> str:
    """Format a number with three digits and no exponent; None is an empty cell."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
