"""The charts of docs/benchmarks.md, drawn from the results of their sections."""

from collections.abc import Iterator
from typing import Any

from tests.bench.line_chart import Axis, Series, render_line_chart

NAMES = {
    "typed": "Lockgate, typed",
    "raw": "Lockgate, raw",
    "httpx": "httpx's transport",
}


def render_charts(results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Render each chart that has results, as its file name and its SVG."""
    if "curves" in results:
        found = results["curves"]["found"]
        yield "calls.svg", _render_calls(found["calls"])
        yield "parts.svg", _render_parts(found["parts"])
    if "soak" in results:
        yield "soak.svg", _render_soak(results["soak"]["found"]["samples"])


def _render_calls(found: dict[str, list[list[float]]]) -> str:
    return render_line_chart(
        "CPU of one upstream call",
        Axis("calls in flight", logarithmic=True),
        Axis("microseconds of CPU", logarithmic=True),
        [Series(NAMES[kind], _to_points(line)) for kind, line in found.items()],
    )


def _render_parts(found: list[list[float]]) -> str:
    return render_line_chart(
        "CPU of one part of a composite, everything around it included",
        Axis("parts loaded at once", logarithmic=True),
        Axis("microseconds of CPU for each part"),
        [Series("Lockgate", _to_points(found))],
    )


def _render_soak(samples: list[dict[str, float]]) -> str:
    return render_line_chart(
        "Memory under constant load",
        Axis("minutes"),
        Axis("MB"),
        [
            Series("RSS", [(one["minute"], one["rss_mb"]) for one in samples]),
            Series("PSS", [(one["minute"], one["pss_mb"]) for one in samples]),
        ],
    )


def _to_points(line: list[list[float]]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in line]
