"""docs/benchmarks.md and its pictures, from the results file alone."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.bench import prose, tables
from tests.bench.pictures import pictures
from tests.bench.place import PAGE, PICTURES
from tests.bench.rate import SHARES
from tests.bench.sections import SECTIONS
from tests.bench.soak import at_warm_up_end
from tests.docs.pages.markdown import table

HEADING = "<!-- Written by `make bench` from docs/benchmarks/results.json. Do not edit. -->"

Results = Mapping[str, Any]


def write(results: Results) -> None:
    """Write the page and every picture of it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, drawn in pictures(dict(results)):
        (PICTURES / name).write_text(drawn, encoding="utf-8")
    PAGE.write_text(page(results), encoding="utf-8")


def page(results: Results) -> str:
    """The text; a section that was never measured is left out."""
    blocks = [HEADING, f"# {prose.TITLE}", prose.INTRODUCTION, prose.METHOD]
    for name, section in _WRITTEN.items():
        if name in results:
            found = results[name]["found"]
            blocks += [*section(found), _bars(name, found)]
    blocks += [prose.PROVENANCE, *_provenance(results)]
    return "\n\n".join(block.strip() for block in blocks if block) + "\n"


def _cpu(found: Results) -> Iterator[str]:
    rounds = len(found["contenders"]["lockgate"]["rounds"])
    yield prose.CPU.format(connections=found["connections"], rounds=rounds)
    yield tables.cpu(found)
    yield tables.bystanders(found)


def _rate(found: Results) -> Iterator[str]:
    yield prose.RATE.format(capacity=found["capacity"]["lockgate"])
    yield tables.rate(found)


def _story(found: Results) -> Iterator[str]:
    yield prose.STORY.format(**found)
    yield tables.story(found)


def _curves(found: Results) -> Iterator[str]:
    yield prose.CALLS
    yield tables.calls(found)
    yield prose.PARTS.format(connections=found["connections"])
    yield tables.parts(found)


def _soak(found: Results) -> Iterator[str]:
    samples = found["samples"]
    warmup = at_warm_up_end(found["minutes"])
    after = [one for one in samples if one["minute"] >= warmup]
    yield prose.SOAK.format(
        **{name: found[name] for name in ("minutes", "rate", "requests", "errors", "p50", "p99")},
        share=SHARES[-1],
        warmup=warmup,
        slope=found["slope_mb_per_10_minutes"],
        files=max(one["open_files"] for one in samples),
        first=tables.number(_mean_cpu(after[:6])),
        last=tables.number(_mean_cpu(after[-6:])),
    )


def _mean_cpu(samples: list[dict[str, float]]) -> float:
    return sum(one["cpu_ms"] for one in samples) / len(samples)


_WRITTEN: Mapping[str, Callable[[Results], Iterator[str]]] = {
    "cpu": _cpu,
    "rate": _rate,
    "story": _story,
    "curves": _curves,
    "soak": _soak,
}


def _bars(name: str, found: Results) -> str:
    return "\n".join(f"- {bar}" for bar in SECTIONS[name].bars(found))


def _provenance(results: Results) -> Iterator[str]:
    measured = {name: results[name] for name in _WRITTEN if name in results}
    yield table(
        ("Section", "Measured", "Commit", "Machine", "Command"),
        (
            [name, one["at"], f"`{one['commit']}`", _machine(one["machine"]), f"`{one['command']}`"]
            for name, one in measured.items()
        ),
    )
    yield "A plus behind a commit: with changes that were not committed yet."
    newest = max(measured.values(), key=lambda one: str(one["at"]))
    yield table(
        ("", "Versions"),
        ([name, _listed(versions)] for name, versions in newest["versions"].items()),
    )


def _machine(machine: Mapping[str, str]) -> str:
    return "{cores} cores of {cpu}, {system}, Linux {kernel}".format_map(machine)


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
