"""How much CPU time processes use between the two edges of a measured window."""

import time
from collections.abc import Mapping

from tests.bench.process_tree import cpu_seconds


class Meter:
    """Read at each edge; `processes` are the roots of process trees, by name."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = processes
        self._readings: list[tuple[float, dict[str, float]]] = []

    def __call__(self) -> None:
        """Read every clock now."""
        used = {name: cpu_seconds(pid) for name, pid in self._processes.items()}
        self._readings.append((time.monotonic(), used))

    def seconds(self, name: str) -> float:
        """CPU time of that tree between the edges.

        Raises:
            ValueError: it was not read at just two edges.
        """
        (_, before), (_, after) = self._readings
        return after[name] - before[name]

    def share(self, name: str) -> float:
        """The same as a share of one core: 1.0 is all of it."""
        (begun, _), (ended, _) = self._readings
        return self.seconds(name) / (ended - begun)
