"""The sections of the benchmark by name: to add one, add its file and its line here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench import bars, cpu, curves, rate, soak, story
from tests.bench.bars import Bar
from tests.bench.plan import Plan

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """What it measures in a few words, how, and what it is held to."""

    purpose: str
    run: Callable[[Plan], Found]
    bars: Callable[[Mapping[str, Any]], Iterator[Bar]] = lambda _: iter(())
    by_default: bool = True


SECTIONS: Mapping[str, Section] = {
    "cpu": Section("CPU of a dashboard, beside the peers", cpu.run, bars.cpu),
    "rate": Section("latency at a constant rate, beside Node", rate.run),
    "story": Section("one user and fifty, services of 200 ms", story.run, bars.story),
    "curves": Section("CPU of a call and of a part, the more there are at once", curves.run),
    "soak": Section("memory over half an hour", soak.run, bars.soak, by_default=False),
}
