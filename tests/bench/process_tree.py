"""Measures a process and its children: CPU time, memory and open files. Linux only."""

import time
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import process_memory

_PROC = Path("/proc")
_CPU_CLOCK = 2  # CPUCLOCK_SCHED in the kernel's posix-timers.h


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in MB: `rss` counts shared pages in every process, `pss` divides them."""

    rss: float
    pss: float


def list_tree(pid: int) -> list[int]:
    """List the process and its running descendants."""
    parents = dict(filter(None, (_read_parent(entry) for entry in _PROC.iterdir())))
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def read_cpu_seconds(pid: int) -> float:
    """Read the CPU seconds of a process tree; ended threads count, ended children do not.

    Raises:
        OSError: there is no such process.
    """
    return sum(time.clock_gettime_ns(_get_clock_id(one)) for one in list_tree(pid)) / 1e9


def measure_memory(pid: int) -> Memory:
    """Measure the memory of the process tree."""
    rss = pss = 0
    for one in list_tree(pid):
        for line in (_PROC / str(one) / "smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name == "Rss":
                rss += int(rest.split()[0])
            elif name == "Pss":
                pss += int(rest.split()[0])
    return Memory(rss / 1024, pss / 1024)


def reset_peak_memory(pid: int) -> None:
    """Let the peak of the resident memory of each process begin at its present value."""
    for one in list_tree(pid):
        process_memory.reset_peak_memory(one)


def read_peak_memory(pid: int) -> float:
    """Read the sum of the peaks of the resident memory in MB; see `reset_peak_memory`."""
    return sum(map(process_memory.read_peak_memory, list_tree(pid)))


def count_open_files(pid: int) -> int:
    """Count the open file descriptors of the process tree."""
    return sum(len(list((_PROC / str(one) / "fd").iterdir())) for one in list_tree(pid))


def _get_clock_id(pid: int) -> int:
    """Return the CPU clock of a process (clock_getcpuclockid), which includes ended threads."""
    return (~pid << 3) | _CPU_CLOCK


def _read_parent(entry: Path) -> tuple[int, int] | None:
    if not entry.name.isdigit():
        return None
    try:
        stat = (entry / "stat").read_text()
    except OSError:  # the process has just ended
        return None
    return int(entry.name), int(stat.rsplit(")", 1)[1].split()[1])
