"""Line charts as SVG: nothing but text, readable on light and on dark pages."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import ceil, floor, log2, log10

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 88, 160, 52, 58
LINE_GAP = 17.0

_LIGHT = ("#0969da", "#bc4c00", "#1a7f37", "#8250df")
_DARK = ("#58a6ff", "#f0883e", "#3fb950", "#bc8cff")


def _colours(paper: str, ink: str, quiet: str, grid: str, lines: Sequence[str]) -> str:
    """Written out and not as variables, which not every reader of SVG knows."""
    rules = [
        f".paper {{ fill: {paper} }} text {{ fill: {ink} }} .quiet {{ fill: {quiet} }}",
        f".grid {{ stroke: {grid} }} .axis {{ stroke: {quiet} }}",
    ]
    for number, colour in enumerate(lines):
        rules.append(
            f".s{number} .line {{ stroke: {colour} }} .s{number} .mark {{ fill: {colour} }}"
        )
    return "\n".join(rules)


_STYLE = f"""
svg {{ color-scheme: light dark; font: 13px system-ui, sans-serif }}
.line {{ fill: none; stroke-width: 2.5; stroke-linejoin: round }}
.name {{ font-weight: 600 }} .title {{ font-size: 15px; font-weight: 600 }}
{_colours("#ffffff", "#24292f", "#57606a", "#d0d7de", _LIGHT)}
@media (prefers-color-scheme: dark) {{
{_colours("#0d1117", "#e6edf3", "#9198a1", "#30363d", _DARK)}
}}
""".strip()


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name, written at its end, and its points from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows; a logarithmic one has no zero, a linear one begins there."""

    label: str
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to pixels, and which values to mark."""

    place: Callable[[float], float]
    ticks: Sequence[float]


def line_chart(title: str, x: Axis, y: Axis, series: Sequence[Series]) -> str:
    """An SVG document.

    Raises:
        ValueError: there is nothing to draw, or what a logarithmic axis cannot show.
    """
    points = [point for one in series for point in one.points]
    if not points:
        raise ValueError("nothing to draw")
    across = _scale(x, [point[0] for point in points], LEFT, WIDTH - RIGHT, doubling=True)
    up = _scale(y, [point[1] for point in points], HEIGHT - BOTTOM, TOP)
    body = [*_frame(title, x, y), *_grid(across, up), *_lines(series, across, up)]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{_STYLE}\n</style>",
            f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
            *body,
            "</svg>\n",
        ]
    )


def _scale(
    axis: Axis, values: Sequence[float], start: float, end: float, *, doubling: bool = False
) -> _Scale:
    if not axis.logarithmic:
        ticks = _even_ticks(max(values))
        top = ticks[-1]
        return _Scale(lambda value: start + (end - start) * value / top, ticks)
    if min(values) <= 0:
        raise ValueError(f"{axis.label}: a logarithmic axis has no place for {min(values)}")
    ticks = _doubling_ticks(values) if doubling else _decade_ticks(min(values), max(values))
    low, high = log10(ticks[0]), log10(ticks[-1])
    width = (high - low) or 1.0
    return _Scale(lambda value: start + (end - start) * (log10(value) - low) / width, ticks)


def _even_ticks(most: float) -> list[float]:
    """From zero in some four to eight even steps of 1, 2 or 5 to where nothing sticks out."""
    rough = (most or 1.0) / 5
    size = 10.0 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [step * number for number in range(ceil((most or 1.0) / step) + 1)]


def _doubling_ticks(values: Sequence[float]) -> list[float]:
    return [2.0**power for power in range(floor(log2(min(values))), ceil(log2(max(values))) + 1)]


def _decade_ticks(least: float, most: float) -> list[float]:
    """1, 2, 5, 10, 20 ... from the last one below the least to the first one above the most."""
    decades = range(floor(log10(least)), ceil(log10(most)) + 1)
    marks = [factor * 10.0**power for power in decades for factor in (1, 2, 5)]
    first = max(index for index, mark in enumerate(marks) if mark <= least * 1.0001)
    last = min(index for index, mark in enumerate(marks) if mark >= most * 0.9999)
    return marks[first : last + 1]


def _frame(title: str, x: Axis, y: Axis) -> Iterator[str]:
    yield _text(LEFT, 28, title, "title", "start")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x.label, "quiet")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield (
        f'<text class="quiet" text-anchor="middle" transform="translate(22 {middle:.0f}) '
        f'rotate(-90)">{escape(y.label)}</text>'
    )


def _grid(across: _Scale, up: _Scale) -> Iterator[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in up.ticks:
        at = up.place(value)
        yield f'<path class="grid" d="M{LEFT} {at:.1f}H{right}"/>'
        yield _text(LEFT - 8, at + 4, _number(value), "quiet", "end")
    for value in across.ticks:
        at = across.place(value)
        yield f'<path class="axis" d="M{at:.1f} {bottom}v5"/>'
        yield _text(at, bottom + 20, _number(value), "quiet")
    yield f'<path class="axis" d="M{LEFT} {bottom}H{right}"/>'


def _lines(series: Sequence[Series], across: _Scale, up: _Scale) -> Iterator[str]:
    labels = _apart([up.place(one.points[-1][1]) for one in series])
    for number, (one, label) in enumerate(zip(series, labels, strict=True)):
        places = [(across.place(a), up.place(b)) for a, b in one.points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        yield f'<g class="s{number % 4}"><polyline class="line" points="{path}"/>'
        if len(places) <= 24:
            yield from (
                f'<circle class="mark" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in places
            )
        yield _text(places[-1][0] + 10, label + 4, one.name, "name mark", "start") + "</g>"


def _apart(places: Sequence[float]) -> list[float]:
    """The same, moved down just as far as it takes for no two labels to overlap."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + LINE_GAP)
    return moved


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _text(x: float, y: float, text: str, kind: str, anchor: str = "middle") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )
