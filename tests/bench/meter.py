"""Measures the CPU time that processes use within a measured window."""

import time
from collections.abc import Mapping

from tests.bench.process_tree import read_cpu_seconds


class Meter:
    """Reads CPU times when the window opens and closes; `processes` maps names to root PIDs."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = processes
        self._readings: list[tuple[float, dict[str, float]]] = []

    def __call__(self) -> None:
        """Read all CPU clocks."""
        used = {name: read_cpu_seconds(pid) for name, pid in self._processes.items()}
        self._readings.append((time.monotonic(), used))

    def seconds(self, name: str) -> float:
        """Return the CPU seconds of a process tree within the window.

        Raises:
            ValueError: the clocks were not read exactly twice.
        """
        (_, before), (_, after) = self._readings
        return after[name] - before[name]

    def share(self, name: str) -> float:
        """Return the CPU time as a share of one core; 1.0 is the whole core."""
        (opened_at, _), (closed_at, _) = self._readings
        return self.seconds(name) / (closed_at - opened_at)
