"""docs/benchmarks.md says what the results file holds, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from tests.bench import bars, results
from tests.bench.page import page
from tests.bench.pictures import pictures
from tests.bench.place import PAGE, PICTURES, RESULTS
from tests.bench.ratios import ratio, spread
from tests.bench.soak import slope

SOURCE: dict[str, Any] = {
    "at": "2026-11-01T08:00:00+00:00",
    "commit": "abc1234",
    "command": "make bench",
    "machine": {"cores": "2", "cpu": "A CPU", "system": "A system", "kernel": "6.1"},
    "versions": {"lockgate": {"Python": "3.11.7"}, "node": {"Node": "20.1.0"}},
}


def contender(*cpu_ms: float) -> dict[str, Any]:
    """One that needed so much CPU in each round."""
    rounds = [
        {
            "cpu_ms": ms, "throughput": 900 / ms, "p50": 10 * ms, "p99": 20 * ms,
            "core": 0.98, "upstream_core": 0.07, "redis_core": 0.09,
        }
        for ms in cpu_ms
    ]  # fmt: skip
    return {"rounds": rounds, "rss_mb": 80.0, "pss_mb": 70.0}


CPU = {
    "connections": 64,
    "contenders": {
        "lockgate": contender(0.4, 0.5, 0.9),
        "node": contender(1.0, 1.0, 1.0),
        "node-cache": contender(0.8, 0.8, 0.9),
        "usual": contender(36, 40, 72),
    },
}


def test_the_page_tells_figures_ratios_and_where_they_come_from() -> None:
    text = page({"cpu": SOURCE | {"found": CPU}})
    assert "| Lockgate | 0.5 (0.4 to 0.9) | 1x | 1,800 | 5 | 10 | 70 |" in text
    assert "| usual | 40 (36 to 72) | 80x |" in text
    assert "The services used 7% of their core at most, Redis 9%." in text
    assert "had 98% to 98% of its own core" in text
    assert "`abc1234`" in text
    assert "2 cores of A CPU, A system, Linux 6.1" in text
    assert "Python 3.11.7" in text
    assert text.index("| Lockgate |") < text.index("| Node, cached |") < text.index("| usual |")


def test_a_section_that_was_not_measured_is_left_out() -> None:
    text = page({"cpu": SOURCE | {"found": CPU}})
    assert "## One dashboard, flat out" in text
    assert "## Half an hour" not in text
    assert not list(pictures({"cpu": SOURCE | {"found": CPU}}))


def test_ratios_are_of_neighbours_and_bars_of_the_faster_node() -> None:
    beside_node, beside_usual = bars.cpu(CPU)
    assert beside_node.measured == 0.625, "0.4/0.8, 0.5/0.8, 0.9/0.9"
    assert beside_node.reached
    assert beside_node.spread == "0.625 (0.5 to 1)"
    assert beside_usual.measured == 80
    assert beside_usual.reached
    both = ratio(contender(1, 3), contender(2, 2), "cpu_ms")
    assert both == spread([0.5, 1.5])


@pytest.mark.parametrize(("p50", "said"), [(215.0, "reached"), (215.1, "MISSED")])
def test_a_bar_says_whether_it_is_reached(p50: float, said: str) -> None:
    found = {"alone": {"p50": 205}, "together": {"p50": p50, "p99": 280}}
    told = [str(bar) for bar in bars.story({"contenders": {"lockgate": found}})]
    assert told[1] == f"50 clients at once, Lockgate, p50 ms: {p50:.4g}, at most 215: {said}"


def test_a_soak_is_judged_by_what_comes_after_its_warm_up() -> None:
    samples = [
        {"minute": minute, "rss_mb": 60 + 5 * minute if minute < 5 else 90 + 0.05 * minute}
        for minute in range(30)
    ]
    assert slope(samples, 5) == pytest.approx(0.5)
    assert slope(samples, 0) > 1


def test_measuring_one_section_keeps_the_others(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "results.json"
    results.add(file, {"cpu": {"found": [1.23456789]}, "story": {"found": 1}})
    results.add(file, {"story": {"found": 2}})
    assert results.read(file) == {"cpu": {"found": [1.235]}, "story": {"found": 2}}


def test_the_committed_page_is_that_of_the_committed_results() -> None:
    kept = results.read(RESULTS)
    assert PAGE.read_text(encoding="utf-8") == page(kept)
    for name, drawn in pictures(kept):
        assert (PICTURES / name).read_text(encoding="utf-8") == drawn
