"""Counts the instructions of a request by library: `python -m tests.bench.instructions`.

The figures come from valgrind, so other load on the machine does not change them. They exclude the
kernel and the time spent waiting for memory.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contenders import CONTENDERS, PATH, Backends, Contender, serve_contender
from tests.bench.load import require_success, run_bursts
from tests.bench.paths import ROOT, make_cache_path
from tests.bench.processes import Command
from tests.bench.proxies import PROXIES, SMALL_PATH
from tests.bench.testbed import open_testbed
from tests.e2e.transfers import Target

CLIENTS, WARM_UP_ROUNDS = 16, 30

# Code is about 50 times slower under valgrind, and the default timeout would mark Redis as down.
LONG_TIMEOUTS = {"LOCKGATE_COUNTERS__TIMEOUT_MS": "1000"}


@dataclass(frozen=True, slots=True)
class _Request:
    """A kind of request to count: its name, the configuration of Lockgate, and the path."""

    name: str
    contender: Contender
    path: str


_DASHBOARD = _Request("dashboard", CONTENDERS["lockgate"], PATH)
_PROXIED = _Request("proxied request", PROXIES["lockgate"], SMALL_PATH)

_OBJECT = re.compile(r"(c?)ob=\((\d+)\)(?: (.*))?")
_COST = re.compile(r"[+\-*\d]\S* (\d+)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the instructions of each library."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.instructions",
        description="Count the instructions of a dashboard in user space. Needs valgrind.",
        epilog="example: python -m tests.bench.instructions --rounds 50",
    )
    parser.add_argument(
        "--rounds", type=int, default=20, help="rounds of 16 concurrent dashboards (default 20)"
    )
    parser.add_argument("--beside", metavar="COMMIT", help="also count those of this commit")
    parser.add_argument(
        "--proxied", action="store_true", help="count a small proxied request, not a dashboard"
    )
    options = parser.parse_args(arguments)
    kind = _PROXIED if options.proxied else _DASHBOARD
    requests, counted = count_instructions(options.rounds, kind)
    for library, instructions in counted.most_common(8):
        print(f"{instructions / requests / 1_000:9.1f} thousand  {library}")
    total = counted.total() / requests / 1_000
    print(f"{total:9.1f} thousand  total per {kind.name}", flush=True)
    if options.beside:
        other = count_at_commit(options.beside, options.rounds, proxied=options.proxied)
        print(f"{total / other:9.4f} of the {other:.1f} thousand at {options.beside}")
    return 0


def count_at_commit(commit: str, rounds: int, *, proxied: bool) -> float:
    """Count the thousands of instructions of a request at another commit, with these packages."""
    folder = make_cache_path("commits", commit, "pyproject.toml").parent
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    # The folder of the commit comes before the installed package, which is this tree.
    command = [sys.executable, "-m", "tests.bench.instructions", "--rounds", str(rounds)]
    command += ["--proxied"] if proxied else []
    shown = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    return float(shown.splitlines()[-1].split()[0])


def count_instructions(rounds: int, kind: _Request) -> tuple[int, Counter[str]]:
    """Return the number of requests counted, and their instructions by library."""
    folder = make_cache_path("instructions", "callgrind.out").parent
    for old in folder.glob("callgrind.*"):
        old.unlink()
    with (
        open_testbed(delay_ms=0) as testbed,
        serve_contender(_wrap_in_valgrind(kind.contender, folder), testbed.backends) as running,
    ):
        target = Target(running.port, kind.path, testbed.backends.identity.token)
        pid = running.process.pid
        require_success(run_bursts(target, clients=CLIENTS, rounds=WARM_UP_ROUNDS), "the warm-up")
        with _collect_instructions(pid):
            measured = require_success(
                run_bursts(target, clients=CLIENTS, rounds=rounds), "lockgate"
            )
    first_round = CLIENTS  # `run_bursts` reports it separately, valgrind includes it
    lines = (line for file in folder.glob("callgrind.*") for line in file.open())
    return measured.requests + first_round, sum_by_library(lines)


def _wrap_in_valgrind(contender: Contender, folder: Path) -> Contender:
    def command(backends: Backends, port: int) -> Command:
        plain = contender.start(backends, port)
        valgrind = [
            "valgrind", "--tool=callgrind", "--instr-atstart=no",
            f"--callgrind-out-file={folder / 'callgrind.out'}",
        ]  # fmt: skip
        return Command(
            [*valgrind, *plain.arguments], {**plain.environment, **LONG_TIMEOUTS}, plain.folder
        )

    return Contender("lockgate", "Lockgate under valgrind", command)


@contextmanager
def _collect_instructions(pid: int) -> Iterator[None]:
    _control("--instr=on", pid)
    yield
    _control("--instr=off", pid)
    _control("--dump", pid)


def _control(what: str, pid: int) -> None:
    subprocess.run(["callgrind_control", what, str(pid)], check=True, capture_output=True)


def sum_by_library(lines: Iterator[str]) -> Counter[str]:
    """Sum the cost of a callgrind profile by object file.

    The line after `calls=` is the inclusive cost of a call. It is skipped, because the profile also
    lists that cost at the callee.
    """
    names: dict[str, str] = {}
    counted: Counter[str] = Counter()
    library, is_call = "", False
    for line in lines:
        if found := _OBJECT.match(line):
            if found[3]:
                names[found[2]] = Path(found[3]).name.split(".")[0]
            library = library if found[1] else names[found[2]]
        elif line.startswith("calls="):
            is_call = True
        elif found := _COST.match(line):
            counted[library] += 0 if is_call else int(found[1])
            is_call = False
    return counted


if __name__ == "__main__":
    sys.exit(main())
