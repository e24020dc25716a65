"""The pictures of the results page, by file name: each drawn from what its section found."""

from collections.abc import Iterator
from typing import Any

from tests.bench.chart import Axis, Series, line_chart

NAMES = {
    "typed": "Lockgate, typed",
    "raw": "Lockgate, raw",
    "httpx": "httpx's transport",
}


def pictures(results: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every one that there are results for."""
    if "curves" in results:
        found = results["curves"]["found"]
        yield "calls.svg", _calls(found["calls"])
        yield "parts.svg", _parts(found["parts"])
    if "soak" in results:
        yield "soak.svg", _soak(results["soak"]["found"]["samples"])


def _calls(found: dict[str, list[list[float]]]) -> str:
    return line_chart(
        "CPU of one upstream call",
        Axis("calls in flight", logarithmic=True),
        Axis("microseconds of CPU", logarithmic=True),
        [Series(NAMES[kind], _points(line)) for kind, line in found.items()],
    )


def _parts(found: list[list[float]]) -> str:
    return line_chart(
        "CPU of one part of a composite, everything around it included",
        Axis("parts loaded at once", logarithmic=True),
        Axis("microseconds of CPU for each part"),
        [Series("Lockgate", _points(found))],
    )


def _soak(samples: list[dict[str, float]]) -> str:
    return line_chart(
        "Memory under constant load",
        Axis("minutes"),
        Axis("MB"),
        [
            Series("RSS", [(one["minute"], one["rss_mb"]) for one in samples]),
            Series("PSS", [(one["minute"], one["pss_mb"]) for one in samples]),
        ],
    )


def _points(line: list[list[float]]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in line]
