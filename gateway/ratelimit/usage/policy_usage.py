"""`PolicyUsage`: the decisions of one policy in this process, by the second."""

from array import array
from collections import deque

from gateway.ratelimit.bounds import USAGE_SECONDS
from gateway.ratelimit.usage.frequent_keys import FrequentKeys

SLICE_SECONDS = 60
"""The top keys are counted in slices of this length; the last `USAGE_SECONDS` are whole slices."""


class KeySlice:
    """The frequent keys of one slice of time, which begins at the second `begin`."""

    __slots__ = ("allowed", "begin", "refused")

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.allowed = FrequentKeys()
        self.refused = FrequentKeys()


class PolicyUsage:
    """Counts the decisions of one policy in a ring of `USAGE_SECONDS` seconds.

    Call `advance` before counting in a second. A second is a whole number on a clock that is never
    set back.
    """

    # Invariants:
    # - The count of the second `s`, for latest - USAGE_SECONDS < s <= latest, is at the index
    #   `s % USAGE_SECONDS` of each ring. Seconds before the first decision are 0.
    # - `keys` is the newest of `_slices`, and holds `latest`. No slice ends before the ring begins.

    __slots__ = ("_slices", "allowed", "keys", "latest", "refused", "shadow_refused")

    def __init__(self, second: int) -> None:
        self.latest = second
        self.allowed = array("Q", bytes(8 * USAGE_SECONDS))
        self.refused = array("Q", bytes(8 * USAGE_SECONDS))
        self.shadow_refused = array("Q", bytes(8 * USAGE_SECONDS))
        self.keys = KeySlice(second - second % SLICE_SECONDS)
        self._slices = deque([self.keys])

    def advance(self, second: int) -> None:
        """Begin a later second: the oldest ones leave the ring."""
        for missed in range(max(self.latest + 1, second - USAGE_SECONDS + 1), second + 1):
            index = missed % USAGE_SECONDS
            self.allowed[index] = self.refused[index] = self.shadow_refused[index] = 0
        self.latest = max(self.latest, second)
        begin = self.latest - self.latest % SLICE_SECONDS
        if begin > self.keys.begin:
            self.keys = KeySlice(begin)
            self._slices.append(self.keys)
        while self._slices[0].begin + SLICE_SECONDS <= self.latest - USAGE_SECONDS:
            self._slices.popleft()

    def list_counts(self, ring: "array[int]", seconds: int) -> list[int]:
        """Return the counts of a ring for the last seconds, the oldest first."""
        first = self.latest - seconds + 1
        return [ring[second % USAGE_SECONDS] for second in range(first, self.latest + 1)]

    def list_slices(self, seconds: int) -> list[KeySlice]:
        """Return the slices that the last seconds touch."""
        oldest = self.latest - seconds + 1
        return [it for it in self._slices if it.begin + SLICE_SECONDS > oldest]
