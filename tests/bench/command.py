"""The command line: `python -m tests.bench` runs the benchmark and writes docs/benchmarks.md."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.bench import page, pinning, results
from tests.bench.load import LoadFailed
from tests.bench.paths import RESULTS
from tests.bench.plan import ALL_CONTENDERS, ROUNDS, Plan, log
from tests.bench.provenance import collect_provenance
from tests.bench.sections import SECTIONS
from tests.e2e.transfers import TransferFailed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the selected sections; return 1 if one of them could not be measured."""
    options = build_parser().parse_args(arguments)
    plan = _make_plan(options)
    chosen = options.only or [name for name, section in SECTIONS.items() if section.by_default]
    os.sched_setaffinity(0, pinning.OTHER_CORE)
    signal.signal(signal.SIGTERM, _exit_on_signal)
    if options.page:
        page.write(results.read(RESULTS))
        return 0
    failed = [name for name in chosen if not _run_section(name, plan, options)]
    return int(bool(failed))


def _exit_on_signal(number: int, _: FrameType | None) -> NoReturn:
    """Raise SystemExit, so that context managers stop all child processes."""
    sys.exit(128 + number)


def _run_section(name: str, plan: Plan, options: argparse.Namespace) -> bool:
    """Run one section and store its result; return whether it could be measured."""
    section, source = SECTIONS[name], collect_provenance(_format_command(options))
    try:
        found = section.run(plan)
    except (LoadFailed, TransferFailed) as failure:
        log(f"{name}: not measured. {failure}")
        return False
    for goal in section.goals(found):
        log(f"  {goal}")
    measured = {name: source | {"found": found}}
    if options.json:
        results.add(options.json, measured)
    if plan.is_complete:
        page.write(results.add(RESULTS, measured))
    return True


def build_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    found = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Benchmark Lockgate and its peers. A complete run writes docs/benchmarks.md; "
        "a quick run, or a run with some of the contenders, only prints.",
        epilog="example: python -m tests.bench --only cpu --contenders lockgate,node",
    )
    sections = "; ".join(f"{name}: {section.purpose}" for name, section in SECTIONS.items())
    add = found.add_argument
    add("--only", nargs="+", choices=SECTIONS, metavar="SECTION", help=sections)
    add(
        "--contenders",
        type=_parse_names,
        metavar="NAMES",
        help=f"comma-separated: {', '.join(ALL_CONTENDERS)}",
    )
    add(
        "--rounds",
        type=int,
        default=ROUNDS,
        help=f"rounds of sections cpu and proxy (default {ROUNDS})",
    )
    add("--seconds", type=float, default=5.0, help="seconds per measurement (default 5; at most 2 "
        "for a turn of section cpu, five times that for usual)")  # fmt: skip
    add("--minutes", type=float, default=30.0, help="duration of section soak (default 30)")
    add("--quick", action="store_true", help="use short windows, to check that everything works")
    add("--json", type=Path, metavar="FILE", help="also write the results of this run to FILE")
    add("--page", action="store_true", help="only write the page again from the stored results")
    return found


def _parse_names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(ALL_CONTENDERS):
        raise argparse.ArgumentTypeError(f"unknown contenders: {', '.join(sorted(unknown))}")
    return names


def _make_plan(options: argparse.Namespace) -> Plan:
    return Plan(
        contenders=options.contenders or ALL_CONTENDERS,
        rounds=min(options.rounds, 2) if options.quick else options.rounds,
        seconds=min(options.seconds, 2.0) if options.quick else options.seconds,
        minutes=options.minutes,
        quick=options.quick,
    )


def _format_command(options: argparse.Namespace) -> str:
    only = f" --only {' '.join(options.only)}" if options.only else ""
    return f"python -m tests.bench{only}"
