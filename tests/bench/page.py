"""Writes docs/benchmarks.md and its charts from the results file."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.bench import prose, tables
from tests.bench.charts import render_charts
from tests.bench.constant_rate import SHARES
from tests.bench.paths import CHARTS, PAGE
from tests.bench.sections import SECTIONS
from tests.bench.soak import get_warm_up_end
from tests.docs.pages.markdown import table

HEADING = "<!-- Written by `make bench` from docs/benchmarks/results.json. Do not edit. -->"

Results = Mapping[str, Any]


def write(results: Results) -> None:
    """Write the page and its charts."""
    CHARTS.mkdir(parents=True, exist_ok=True)
    for name, drawn in render_charts(dict(results)):
        (CHARTS / name).write_text(drawn, encoding="utf-8")
    PAGE.write_text(render_page(results), encoding="utf-8")


def render_page(results: Results) -> str:
    """Render the page; sections without results are left out."""
    blocks = [HEADING, f"# {prose.TITLE}", prose.INTRODUCTION, prose.METHOD]
    for name, section in _SECTION_TEXTS.items():
        if name in results:
            found = results[name]["found"]
            blocks += [*section(found), _format_goals(name, found)]
    blocks += [prose.PROVENANCE, *_render_provenance(results)]
    return "\n\n".join(block.strip() for block in blocks if block) + "\n"


def _render_cpu(found: Results) -> Iterator[str]:
    rounds = len(found["contenders"]["lockgate"]["rounds"])
    yield prose.CPU.format(connections=found["connections"], rounds=rounds)
    yield tables.make_cpu_table(found)
    yield tables.describe_utilization(found)


def _render_proxy(found: Results) -> Iterator[str]:
    yield prose.PROXY.format(connections=found["connections"])
    yield tables.make_proxy_table(found)
    yield prose.TRANSFERS.format(gigabytes=found["gigabytes"])
    yield tables.make_transfer_table(found)


def _render_rate(found: Results) -> Iterator[str]:
    yield prose.RATE.format(capacity=found["capacity"]["lockgate"])
    yield tables.make_rate_table(found)


def _render_story(found: Results) -> Iterator[str]:
    yield prose.STORY.format(**found)
    yield tables.make_story_table(found)


def _render_curves(found: Results) -> Iterator[str]:
    yield prose.CALLS
    yield tables.make_calls_table(found)
    yield prose.PARTS.format(connections=found["connections"])
    yield tables.make_parts_table(found)


def _render_tokens(found: Results) -> Iterator[str]:
    yield prose.TOKENS.format(connections=found["connections"])
    yield tables.make_token_table(found)


def _render_soak(found: Results) -> Iterator[str]:
    samples = found["samples"]
    warmup = get_warm_up_end(found["minutes"])
    after = [one for one in samples if one["minute"] >= warmup]
    yield prose.SOAK.format(
        **{name: found[name] for name in ("minutes", "rate", "requests", "errors", "p50", "p99")},
        share=SHARES[-1],
        warmup=warmup,
        slope=found["slope_mb_per_10_minutes"],
        files=max(one["open_files"] for one in samples),
        first=tables.format_number(_mean_cpu(after[:6])),
        last=tables.format_number(_mean_cpu(after[-6:])),
    )


def _mean_cpu(samples: list[dict[str, float]]) -> float:
    return sum(one["cpu_ms"] for one in samples) / len(samples)


_SECTION_TEXTS: Mapping[str, Callable[[Results], Iterator[str]]] = {
    "cpu": _render_cpu,
    "rate": _render_rate,
    "story": _render_story,
    "curves": _render_curves,
    "proxy": _render_proxy,
    "tokens": _render_tokens,
    "soak": _render_soak,
}


def _format_goals(name: str, found: Results) -> str:
    return "\n".join(f"- {goal}" for goal in SECTIONS[name].goals(found))


def _render_provenance(results: Results) -> Iterator[str]:
    measured = {name: results[name] for name in _SECTION_TEXTS if name in results}
    yield table(
        ("Section", "Measured at", "Commit", "Machine", "Command"),
        (
            [
                name,
                one["at"],
                f"`{one['commit']}`",
                _describe_machine(one["machine"]),
                f"`{one['command']}`",
            ]
            for name, one in measured.items()
        ),
    )
    yield prose.UNCOMMITTED
    newest = max(measured.values(), key=lambda one: str(one["at"]))
    yield table(
        ("", "Versions"),
        ([name, _join_versions(versions)] for name, versions in newest["versions"].items()),
    )


def _describe_machine(machine: Mapping[str, str]) -> str:
    return "{cores} cores of {cpu}, {system}, Linux {kernel}".format_map(machine)


def _join_versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
