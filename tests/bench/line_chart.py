"""Renders line charts as SVG, for light and dark pages."""

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


def _make_color_rules(paper: str, ink: str, quiet: str, grid: str, lines: Sequence[str]) -> str:
    """Write the colors out: not every SVG viewer supports CSS variables."""
    rules = [
        f".paper {{ fill: {paper} }} text {{ fill: {ink} }} .quiet {{ fill: {quiet} }}",
        f".grid {{ stroke: {grid} }} .axis {{ stroke: {quiet} }}",
    ]
    for number, color in enumerate(lines):
        rules.append(f".s{number} .line {{ stroke: {color} }} .s{number} .mark {{ fill: {color} }}")
    return "\n".join(rules)


_STYLE = f"""
svg {{ color-scheme: light dark; font: 13px system-ui, sans-serif }}
.line {{ fill: none; stroke-width: 2.5; stroke-linejoin: round }}
.name {{ font-weight: 600 }} .title {{ font-size: 15px; font-weight: 600 }}
{_make_color_rules("#ffffff", "#24292f", "#57606a", "#d0d7de", _LIGHT)}
@media (prefers-color-scheme: dark) {{
{_make_color_rules("#0d1117", "#e6edf3", "#9198a1", "#30363d", _DARK)}
}}
""".strip()


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name, drawn at its end, and its points from left to right."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """The label and scale of an axis; a linear axis begins at zero."""

    label: str
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class _Scale:
    """The mapping from values to pixels, and the values of the tick marks."""

    place: Callable[[float], float]
    ticks: Sequence[float]


def render_line_chart(title: str, x: Axis, y: Axis, series: Sequence[Series]) -> str:
    """Render an SVG document.

    Raises:
        ValueError: there are no points, or a logarithmic axis has a value of zero or less.
    """
    points = [point for one in series for point in one.points]
    if not points:
        raise ValueError("there are no points to draw")
    across = _make_scale(x, [point[0] for point in points], LEFT, WIDTH - RIGHT, doubling=True)
    up = _make_scale(y, [point[1] for point in points], HEIGHT - BOTTOM, TOP)
    body = [
        *_render_frame(title, x, y),
        *_render_grid(across, up),
        *_render_lines(series, across, up),
    ]
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


def _make_scale(
    axis: Axis, values: Sequence[float], start: float, end: float, *, doubling: bool = False
) -> _Scale:
    if not axis.logarithmic:
        ticks = _choose_even_ticks(max(values))
        top = ticks[-1]
        return _Scale(lambda value: start + (end - start) * value / top, ticks)
    if min(values) <= 0:
        raise ValueError(f"{axis.label}: a logarithmic axis cannot show {min(values)}")
    ticks = (
        _choose_doubling_ticks(values)
        if doubling
        else _choose_decade_ticks(min(values), max(values))
    )
    low, high = log10(ticks[0]), log10(ticks[-1])
    width = (high - low) or 1.0
    return _Scale(lambda value: start + (end - start) * (log10(value) - low) / width, ticks)


def _choose_even_ticks(maximum: float) -> list[float]:
    """Choose ticks from zero to the maximum or above, in even steps of 1, 2 or 5 times 10^n."""
    rough = (maximum or 1.0) / 5
    size = 10.0 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [step * number for number in range(ceil((maximum or 1.0) / step) + 1)]


def _choose_doubling_ticks(values: Sequence[float]) -> list[float]:
    return [2.0**power for power in range(floor(log2(min(values))), ceil(log2(max(values))) + 1)]


def _choose_decade_ticks(minimum: float, maximum: float) -> list[float]:
    """Choose ticks of 1, 2, 5, 10, 20 ... that enclose the minimum and the maximum."""
    decades = range(floor(log10(minimum)), ceil(log10(maximum)) + 1)
    marks = [factor * 10.0**power for power in decades for factor in (1, 2, 5)]
    first = max(index for index, mark in enumerate(marks) if mark <= minimum * 1.0001)
    last = min(index for index, mark in enumerate(marks) if mark >= maximum * 0.9999)
    return marks[first : last + 1]


def _render_frame(title: str, x: Axis, y: Axis) -> Iterator[str]:
    yield _render_text(LEFT, 28, title, "title", "start")
    yield _render_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x.label, "quiet")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield (
        f'<text class="quiet" text-anchor="middle" transform="translate(22 {middle:.0f}) '
        f'rotate(-90)">{escape(y.label)}</text>'
    )


def _render_grid(across: _Scale, up: _Scale) -> Iterator[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in up.ticks:
        at = up.place(value)
        yield f'<path class="grid" d="M{LEFT} {at:.1f}H{right}"/>'
        yield _render_text(LEFT - 8, at + 4, _format_number(value), "quiet", "end")
    for value in across.ticks:
        at = across.place(value)
        yield f'<path class="axis" d="M{at:.1f} {bottom}v5"/>'
        yield _render_text(at, bottom + 20, _format_number(value), "quiet")
    yield f'<path class="axis" d="M{LEFT} {bottom}H{right}"/>'


def _render_lines(series: Sequence[Series], across: _Scale, up: _Scale) -> Iterator[str]:
    labels = _spread_labels([up.place(one.points[-1][1]) for one in series])
    for number, (one, label) in enumerate(zip(series, labels, strict=True)):
        places = [(across.place(a), up.place(b)) for a, b in one.points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        yield f'<g class="s{number % 4}"><polyline class="line" points="{path}"/>'
        if len(places) <= 24:
            yield from (
                f'<circle class="mark" cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in places
            )
        yield _render_text(places[-1][0] + 10, label + 4, one.name, "name mark", "start") + "</g>"


def _spread_labels(places: Sequence[float]) -> list[float]:
    """Move label positions down just far enough that no two overlap."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + LINE_GAP)
    return moved


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _render_text(x: float, y: float, text: str, kind: str, anchor: str = "middle") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )
