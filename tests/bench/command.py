"""`python -m tests.bench`: measure Lockgate beside its peers, and write docs/benchmarks.md."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.bench import page, pinning, results
from tests.bench.contenders import CONTENDERS
from tests.bench.load import LoadFailed
from tests.bench.place import RESULTS
from tests.bench.plan import ROUNDS, Plan, say
from tests.bench.provenance import provenance
from tests.bench.sections import SECTIONS


def main(words: Sequence[str] | None = None) -> int:
    """Run the sections asked for; 1 if one of them could not be measured, whatever they find."""
    options = parser().parse_args(words)
    plan = _plan(options)
    chosen = options.only or [name for name, section in SECTIONS.items() if section.by_default]
    os.sched_setaffinity(0, pinning.REST)
    signal.signal(signal.SIGTERM, _stop)
    if options.page:
        page.write(results.read(RESULTS))
        return 0
    failed = [name for name in chosen if not _measured(name, plan, options)]
    return int(bool(failed))


def _stop(number: int, _: FrameType | None) -> NoReturn:
    """Unwind, so that everything that was started is ended."""
    sys.exit(128 + number)


def _measured(name: str, plan: Plan, options: argparse.Namespace) -> bool:
    """Run one section and keep at once what it finds; whether it could be measured."""
    section, source = SECTIONS[name], provenance(_command(options))
    try:
        found = section.run(plan)
    except LoadFailed as failure:
        say(f"{name}: not measured. {failure}")
        return False
    for bar in section.bars(found):
        say(f"  {bar}")
    measured = {name: source | {"found": found}}
    if options.json:
        results.add(options.json, measured)
    if plan.whole:
        page.write(results.add(RESULTS, measured))
    return True


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure Lockgate beside its peers. A whole run writes docs/benchmarks.md; "
        "one of some contenders, or a quick one, only prints.",
        epilog="example: python -m tests.bench --only cpu --contenders lockgate,node",
    )
    sections = "; ".join(f"{name}: {section.purpose}" for name, section in SECTIONS.items())
    add = found.add_argument
    add("--only", nargs="+", choices=SECTIONS, metavar="SECTION", help=sections)
    add("--contenders", type=_names, metavar="NAMES", help=f"of {', '.join(CONTENDERS)}")
    add("--rounds", type=int, default=ROUNDS, help=f"rounds of cpu ({ROUNDS})")
    add("--seconds", type=float, default=5.0, help="how long one measurement takes (5; a turn of "
        "cpu no more than 2, and five times that for the usual way)")  # fmt: skip
    add("--minutes", type=float, default=30.0, help="how long soak runs (30)")
    add("--quick", action="store_true", help="short windows: to see that it works")
    add("--json", type=Path, metavar="FILE", help="keep what this run finds there too")
    add("--page", action="store_true", help="measure nothing, write the page anew")
    return found


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(CONTENDERS):
        raise argparse.ArgumentTypeError(f"nobody is called {', '.join(sorted(unknown))}")
    return names


def _plan(options: argparse.Namespace) -> Plan:
    return Plan(
        contenders=options.contenders or tuple(CONTENDERS),
        rounds=min(options.rounds, 2) if options.quick else options.rounds,
        seconds=min(options.seconds, 2.0) if options.quick else options.seconds,
        minutes=options.minutes,
        quick=options.quick,
    )


def _command(options: argparse.Namespace) -> str:
    only = f" --only {' '.join(options.only)}" if options.only else ""
    return f"python -m tests.bench{only}"
