"""docs/benchmarks.md is generated from the results file."""

from pathlib import Path
from typing import Any

import pytest

from tests.bench import goals, results
from tests.bench.charts import render_charts
from tests.bench.page import render_page
from tests.bench.paths import CHARTS, PAGE, RESULTS
from tests.bench.ratios import compare_rounds, summarize
from tests.bench.soak import fit_slope

SOURCE: dict[str, Any] = {
    "at": "2026-11-01T08:00:00+00:00",
    "commit": "abc1234",
    "command": "make bench",
    "machine": {"cores": "2", "cpu": "A CPU", "system": "A system", "kernel": "6.1"},
    "versions": {"lockgate": {"Python": "3.11.7"}, "node": {"Node": "20.1.0"}},
}


def make_contender(*cpu_ms: float) -> dict[str, Any]:
    """Make the result of a contender with this CPU time in each round."""
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
        "lockgate": make_contender(0.4, 0.5, 0.9),
        "node": make_contender(1.0, 1.0, 1.0),
        "node-cache": make_contender(0.8, 0.8, 0.9),
        "usual": make_contender(36, 40, 72),
    },
}


def test_the_page_has_figures_ratios_and_provenance() -> None:
    text = render_page({"cpu": SOURCE | {"found": CPU}})
    assert "| Lockgate | 0.5 (0.4 to 0.9) | 1x | 1,800 | 5 | 10 | 70 |" in text
    assert "| usual | 40 (36 to 72) | 80x |" in text
    assert "The services used at most 7% of their core, Redis at most 9%." in text
    assert "The contenders used 98% to 98% of their core" in text
    assert "`abc1234`" in text
    assert "2 cores of A CPU, A system, Linux 6.1" in text
    assert "Python 3.11.7" in text
    assert text.index("| Lockgate |") < text.index("| Node, cached |") < text.index("| usual |")


def make_proxy(cpu_ms: float, download_cpu: float, download_mb: float) -> dict[str, Any]:
    """Make the result of a contender of section proxy, with the same figures in each round."""
    figures = {"cpu_ms": cpu_ms, "throughput": 900.0, "p50": 1.5, "p99": 2.5, "core": 0.98}
    transfers = {
        "download_cpu": download_cpu, "download_mb": download_mb,
        "upload_cpu": 0.75, "upload_mb": 4.0,
    }  # fmt: skip
    return {
        "rounds": [figures, figures],
        "transfers": [transfers],
        "events": [{"first_event_ms": 1.25, "later_event_ms": 0.5}],
    }


PROXIES: dict[str, Any] = {
    "connections": 64,
    "gigabytes": 2.0,
    "contenders": {
        "lockgate": make_proxy(0.4, 1.0, 21.0),
        "usual": make_proxy(1.4, 3.0, 9.0),
        "node": make_proxy(0.9, 0.6, 90.0),
        "node-cache": make_proxy(0.3, 0.5, 90.0),
    },
}


def test_the_page_has_the_figures_of_proxies() -> None:
    text = render_page({"proxy": SOURCE | {"found": PROXIES}})
    assert "| Lockgate | 0.4 (0.4 to 0.4) | 1x | 900 | 1.5 | 2.5 |" in text
    assert "| usual | 1.4 (1.4 to 1.4) | 3.5x |" in text
    assert text.index("| Node, cached | 0.3") < text.index("| Lockgate | 0.4")
    assert "a download and an upload of 2 GB" in text
    assert "| Lockgate | 1 | 0.75 | 21 | 4 | 1.25 | 0.5 |" in text


def test_a_proxy_is_compared_with_the_faster_node() -> None:
    assert [(goal.measured, goal.is_met) for goal in goals.check_proxy(PROXIES)] == [
        (pytest.approx(3.5), False),  # usual / Lockgate, at least 4
        (pytest.approx(4 / 3), True),
        (2.0, False),  # a download, at most 1.5
        (21.0, False),  # MB, at most 20
        (1.0, True),
        (4.0, True),
        (1.25, True),
    ]
    contenders = {"node": PROXIES["contenders"]["node"]}
    assert not list(goals.check_proxy({"contenders": contenders}))


def test_the_page_has_the_cost_of_token_requests() -> None:
    kinds = ("secret", "first_secret", "private_key_jwt", "exchange", "introspection")
    peer = {"secret": [{"cpu_ms": 1.5}, {"cpu_ms": 1.25}, {"cpu_ms": 2.0}]}
    for kind in ("private_key_jwt", "introspection"):
        peer[kind] = [{"cpu_ms": 1.0}]
    lockgate = {kind: [{"cpu_ms": 0.5}] for kind in kinds}
    found = {"connections": 8, "contenders": {"lockgate": lockgate, "oidc-provider": peer}}
    text = render_page({"tokens": SOURCE | {"found": found}})
    known = "| client secret that the process knows | 0.5 (0.5 to 0.5) | 1.5 (1.25 to 2) |"
    assert known in text
    assert "| token exchange | 0.5 (0.5 to 0.5) |  |" in text


def test_a_section_without_results_is_left_out() -> None:
    text = render_page({"cpu": SOURCE | {"found": CPU}})
    assert "## CPU time and throughput of a dashboard" in text
    assert "## Memory over" not in text
    assert not list(render_charts({"cpu": SOURCE | {"found": CPU}}))


def test_ratios_are_computed_per_round_and_against_the_faster_node() -> None:
    node_goal, usual_goal = goals.check_cpu(CPU)
    assert node_goal.measured == 0.625, "0.4/0.8, 0.5/0.8, 0.9/0.9"
    assert node_goal.is_met
    assert node_goal.spread == "0.625 (0.5 to 1)"
    assert usual_goal.measured == 80
    assert usual_goal.is_met
    ratio = compare_rounds(make_contender(1, 3), make_contender(2, 2), "cpu_ms")
    assert ratio == summarize([0.5, 1.5])


@pytest.mark.parametrize(("p50", "verdict"), [(215.0, "met"), (215.1, "MISSED")])
def test_a_goal_is_met_or_missed(p50: float, verdict: str) -> None:
    found = {"alone": {"p50": 205}, "together": {"p50": p50, "p99": 280}}
    lines = [str(goal) for goal in goals.check_burst_latency({"contenders": {"lockgate": found}})]
    expected = f"50 concurrent clients, Lockgate, p50 ms: {p50:.4g}; goal: at most 215; {verdict}"
    assert lines[1] == expected


def test_memory_growth_excludes_the_warm_up() -> None:
    samples = [
        {"minute": minute, "rss_mb": 60 + 5 * minute if minute < 5 else 90 + 0.05 * minute}
        for minute in range(30)
    ]
    assert fit_slope(samples, 5) == pytest.approx(0.5)
    assert fit_slope(samples, 0) > 1


def test_measuring_one_section_keeps_the_other_results(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "results.json"
    results.add(file, {"cpu": {"found": [1.23456789]}, "story": {"found": 1}})
    results.add(file, {"story": {"found": 2}})
    assert results.read(file) == {"cpu": {"found": [1.235]}, "story": {"found": 2}}


def test_the_page_is_up_to_date() -> None:
    stored = results.read(RESULTS)
    assert PAGE.read_text(encoding="utf-8") == render_page(stored)
    for name, drawn in render_charts(stored):
        assert (CHARTS / name).read_text(encoding="utf-8") == drawn
