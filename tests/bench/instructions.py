"""`python -m tests.bench.instructions`: what a dashboard costs in instructions, by library.

Counted by valgrind, so that the figure is the same however busy the machine is. The kernel's part
is not in it, nor what waiting for memory costs.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.contenders import CONTENDERS, Contender, Surroundings, serving
from tests.bench.load import all_answered, bursts
from tests.bench.place import built
from tests.bench.running import Command
from tests.bench.stage import stage

CLIENTS, WARM_UP_ROUNDS = 16, 30

# Under valgrind everything takes fifty times as long, and Redis would be taken for gone.
PATIENT = {"LOCKGATE_COUNTERS__TIMEOUT_MS": "1000"}

_OBJECT = re.compile(r"(c?)ob=\((\d+)\)(?: (.*))?")
_COST = re.compile(r"[+\-*\d]\S* (\d+)")


def main(words: Sequence[str] | None = None) -> int:
    """Count, and print a line for each library."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.instructions",
        description="Count the instructions of a dashboard in user space. Needs valgrind.",
        epilog="example: python -m tests.bench.instructions --rounds 50",
    )
    parser.add_argument("--rounds", type=int, default=20, help="of 16 dashboards at once (20)")
    dashboards, counted = count(parser.parse_args(words).rounds)
    for library, instructions in counted.most_common(8):
        print(f"{instructions / dashboards / 1_000:9.1f} thousand  {library}")
    print(f"{counted.total() / dashboards / 1_000:9.1f} thousand  in all, for each dashboard")
    return 0


def count(rounds: int) -> tuple[int, Counter[str]]:
    """How many dashboards were counted, and the instructions of them all by library."""
    folder = built("instructions", "callgrind.out").parent
    for old in folder.glob("callgrind.*"):
        old.unlink()
    with stage(delay_ms=0) as around, serving(_counted(folder), around.surroundings) as running:
        target, pid = around.target(running), running.process.pid
        all_answered(bursts(target, clients=CLIENTS, rounds=WARM_UP_ROUNDS), "the warm-up")
        with _counting(pid):
            measured = all_answered(bursts(target, clients=CLIENTS, rounds=rounds), "lockgate")
    first_round = CLIENTS  # which `bursts` tells apart, but valgrind does not
    lines = (line for file in folder.glob("callgrind.*") for line in file.open())
    return measured.requests + first_round, by_library(lines)


def _counted(folder: Path) -> Contender:
    def command(surroundings: Surroundings, port: int) -> Command:
        plain = CONTENDERS["lockgate"].start(surroundings, port)
        valgrind = [
            "valgrind", "--tool=callgrind", "--instr-atstart=no",
            f"--callgrind-out-file={folder / 'callgrind.out'}",
        ]  # fmt: skip
        return Command([*valgrind, *plain.words], {**plain.environment, **PATIENT}, plain.folder)

    return Contender("lockgate", "Lockgate under valgrind", command)


@contextmanager
def _counting(pid: int) -> Iterator[None]:
    _control("--instr=on", pid)
    yield
    _control("--instr=off", pid)
    _control("--dump", pid)


def _control(what: str, pid: int) -> None:
    subprocess.run(["callgrind_control", what, str(pid)], check=True, capture_output=True)


def by_library(lines: Iterator[str]) -> Counter[str]:
    """The cost of each file of code that a profile names (the format of callgrind's files).

    A line after `calls=` is what a call cost inside, which is counted where it was spent.
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
