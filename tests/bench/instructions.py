"""Counts the instructions of a request by library: `python -m tests.bench.instructions`.

The figures come from valgrind, so other load on the machine does not change them. They exclude the
kernel and the time spent waiting for memory.
"""

import argparse
import re
import subprocess
import sys
import time
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


@dataclass(frozen=True, slots=True)
class _Count:
    """The instructions of one request by library, and those of a second without any request."""

    per_request: Counter[str]
    per_idle_second: float

    def format(self, name: str) -> str:
        """Return one line with the totals."""
        idle = self.per_idle_second / 1_000
        total = self.per_request.total() / 1_000
        return f"{total:9.1f} thousand  total per {name}; {idle:.1f} thousand in an idle second"


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
    parser.add_argument(
        "--without-ops", action="store_true", help="close the ops port, so nothing is recorded"
    )
    options = parser.parse_args(arguments)
    kind = _PROXIED if options.proxied else _DASHBOARD
    here = count_instructions(options.rounds, kind, ROOT, with_ops=not options.without_ops)
    for library, instructions in here.per_request.most_common(8):
        print(f"{instructions / 1_000:9.1f} thousand  {library}")
    print(here.format(kind.name), flush=True)
    if options.beside:
        folder = _check_out(options.beside)
        with_ops = not options.without_ops and (folder / "gateway" / "ops").exists()
        there = count_instructions(options.rounds, kind, folder, with_ops=with_ops)
        print(f"{there.format(kind.name)}, at {options.beside}")
        ratio = here.per_request.total() / there.per_request.total()
        print(f"{ratio:9.4f} of {options.beside}")
    return 0


def _check_out(commit: str) -> Path:
    """Write the files of a commit to a folder."""
    folder = make_cache_path("commits", commit, "pyproject.toml").parent
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    return folder


def count_instructions(rounds: int, kind: _Request, tree: Path, *, with_ops: bool) -> _Count:
    """Count the instructions of a request in the gateway of a tree.

    Tasks that run by the clock, such as heartbeats, run 50 times as often per request under
    valgrind. So as much time is counted without requests, and subtracted.
    """
    folder = make_cache_path("instructions", "callgrind.out").parent
    for old in folder.glob("callgrind.*"):
        old.unlink()
    contender = _wrap_in_valgrind(kind.contender, folder, tree, with_ops=with_ops)
    with (
        open_testbed(delay_ms=0) as testbed,
        serve_contender(contender, testbed.backends) as running,
    ):
        target = Target(running.port, kind.path, testbed.backends.identity.token)
        pid = running.process.pid
        require_success(run_bursts(target, clients=CLIENTS, rounds=WARM_UP_ROUNDS), "the warm-up")
        busy, idle = Counter[str](), Counter[str]()
        began = time.monotonic()
        with _collect_instructions(pid, folder, busy):
            measured = require_success(
                run_bursts(target, clients=CLIENTS, rounds=rounds), "lockgate"
            )
            seconds = time.monotonic() - began
        with _collect_instructions(pid, folder, idle):
            time.sleep(seconds)
    requests = measured.requests + CLIENTS  # `run_bursts` reports the first round separately
    per_request = Counter({it: (busy[it] - idle[it]) // requests for it in busy})
    return _Count(per_request, idle.total() / seconds)


def _wrap_in_valgrind(
    contender: Contender, folder: Path, tree: Path, *, with_ops: bool
) -> Contender:
    def command(backends: Backends, port: int) -> Command:
        plain = contender.start(backends, port)
        valgrind = [
            "valgrind", "--tool=callgrind", "--instr-atstart=no",
            f"--callgrind-out-file={folder / 'callgrind.out'}",
        ]  # fmt: skip
        environment = {
            name: value
            for name, value in plain.environment.items()
            if with_ops or not name.startswith("LOCKGATE_OPS__")
        }
        # The folder of the tree comes before the installed package, which is this tree.
        return Command([*valgrind, *plain.arguments], {**environment, **LONG_TIMEOUTS}, tree)

    return Contender("lockgate", "Lockgate under valgrind", command)


@contextmanager
def _collect_instructions(pid: int, folder: Path, counted: Counter[str]) -> Iterator[None]:
    """Count the instructions of a block by library."""
    _control("--instr=on", pid)
    yield
    _control("--instr=off", pid)
    _control("--dump", pid)
    for dump in folder.glob("callgrind.*"):
        with dump.open() as lines:
            counted.update(sum_by_library(lines))
        dump.unlink()


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
