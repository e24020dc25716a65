"""`FrequentKeys`: counts the most frequent keys of a stream in bounded memory.

It is the algorithm of Misra and Gries with batched decrements (Anderson et al., "A High-Performance
Algorithm for Identifying Frequent Items in Data Streams", 2017; also in Apache DataSketches).
"""

from collections.abc import Mapping

CAPACITY = 512


class FrequentKeys:
    """Counts keys; it holds at most `capacity` of them.

    A count is never more than the true one. It is less by at most the number of all additions
    divided by half of the capacity; no key that is more frequent than that is missing.
    """

    # Invariants:
    # - `counts` has at most `capacity` keys after each call, and each count is positive.
    # - A shrink subtracts the median count of all keys from each of them. At least half of
    #   the keys lose that many additions each, which is why the error is bounded as said above.

    __slots__ = ("_capacity", "counts")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self.counts: dict[str, int] = {}

    def add(self, key: str, count: int = 1) -> None:
        """Count a key."""
        counts = self.counts
        counts[key] = counts.get(key, 0) + count
        if len(counts) > self._capacity:
            self._shrink()

    def add_all(self, counts: Mapping[str, int]) -> None:
        """Add the counts of another sketch."""
        for key, count in counts.items():
            self.add(key, count)

    def _shrink(self) -> None:
        median = sorted(self.counts.values())[len(self.counts) // 2]
        self.counts = {key: count - median for key, count in self.counts.items() if count > median}
