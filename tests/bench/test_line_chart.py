"""Charts show all points inside the frame, in order and legibly."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.line_chart import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Series,
    render_line_chart,
)

SVG = "{http://www.w3.org/2000/svg}"
LOG, LINEAR = Axis("in flight", logarithmic=True), Axis("us")

values = st.floats(min_value=0.01, max_value=1e6)


def parse_lines(drawn: str) -> list[list[tuple[float, float]]]:
    """Parse the points of every line, in pixels."""
    found = ET.fromstring(drawn).iter(f"{SVG}polyline")
    return [
        [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]  # type: ignore[misc]
        for line in found
    ]


@settings(max_examples=60)
@given(
    points=st.lists(st.tuples(values, values), min_size=1, max_size=10),
    x=st.sampled_from([LOG, LINEAR]),
    y=st.sampled_from([LOG, LINEAR]),
)
def test_every_point_is_inside_and_a_larger_value_is_higher(
    points: list[tuple[float, float]], x: Axis, y: Axis
) -> None:
    (line,) = parse_lines(render_line_chart("t", x, y, [Series("s", points)]))
    for left, top in line:
        assert LEFT - 0.1 <= left <= WIDTH - RIGHT + 0.1
        assert TOP - 0.1 <= top <= HEIGHT - BOTTOM + 0.1
    by_value = sorted(zip(points, line, strict=True), key=lambda pair: pair[0][1])
    assert all(a[1][1] >= b[1][1] - 0.11 for a, b in pairwise(by_value))


def test_a_linear_axis_begins_at_zero() -> None:
    ((first, second),) = parse_lines(
        render_line_chart("t", LINEAR, LINEAR, [Series("s", [(0, 90), (1, 91)])])
    )
    assert first[1] - second[1] < 5
    assert first[0] == LEFT


def test_labels_do_not_overlap() -> None:
    series = [Series(name, [(1, 5), (2, 10)]) for name in ("one", "two", "three")]
    drawn = ET.fromstring(render_line_chart("t", LOG, LINEAR, series))
    names = [t for t in drawn.iter(f"{SVG}text") if t.get("class") == "name mark"]
    assert [name.text for name in names] == ["one", "two", "three"]
    places = sorted(float(name.get("y", 0)) for name in names)
    assert all(below - above >= 15 for above, below in pairwise(places))


def test_titles_and_labels_are_escaped() -> None:
    drawn = render_line_chart("a < b & c", LOG, LINEAR, [Series("s", [(1, 1), (512, 40_000)])])
    texts = [text.text for text in ET.fromstring(drawn).iter(f"{SVG}text")]
    assert {"a < b & c", "in flight", "us", "512", "40,000"} <= set(texts)


@pytest.mark.parametrize("points", [[], [(1.0, 0.0)]])
def test_invalid_data_is_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match=r"no points|cannot show"):
        render_line_chart("t", LINEAR, Axis("us", logarithmic=True), [Series("s", points)])


def test_the_chart_has_a_dark_theme() -> None:
    drawn = render_line_chart("t", LOG, LINEAR, [Series("s", [(1, 1)])])
    assert "prefers-color-scheme: dark" in drawn
