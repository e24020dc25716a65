"""What a process and all its children have used: CPU time, memory, open files. Linux only."""

import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_CPU_CLOCK = 2  # CPUCLOCK_SCHED of the kernel's posix-timers.h: what the scheduler has counted


@dataclass(frozen=True, slots=True)
class Memory:
    """In MB: `rss` counts shared pages for each process, `pss` divides them among their users."""

    rss: float
    pss: float


def tree(pid: int) -> list[int]:
    """The process and every descendant that runs."""
    parents = dict(filter(None, (_parent(entry) for entry in _PROC.iterdir())))
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of the tree so far; threads that have ended count, children that have do not.

    Raises:
        OSError: there is no such process.
    """
    return sum(time.clock_gettime_ns(_clock(one)) for one in tree(pid)) / 1e9


def memory(pid: int) -> Memory:
    """What the tree holds."""
    rss = pss = 0
    for one in tree(pid):
        for line in (_PROC / str(one) / "smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name == "Rss":
                rss += int(rest.split()[0])
            elif name == "Pss":
                pss += int(rest.split()[0])
    return Memory(rss / 1024, pss / 1024)


def open_files(pid: int) -> int:
    """How many descriptors the tree has open."""
    return sum(len(list((_PROC / str(one) / "fd").iterdir())) for one in tree(pid))


def _clock(pid: int) -> int:
    """The process's CPU clock (clock_getcpuclockid): nanoseconds, with the threads that ended."""
    return (~pid << 3) | _CPU_CLOCK


def _parent(entry: Path) -> tuple[int, int] | None:
    if not entry.name.isdigit():
        return None
    try:
        stat = (entry / "stat").read_text()
    except OSError:  # it has just ended
        return None
    return int(entry.name), int(stat.rsplit(")", 1)[1].split()[1])
