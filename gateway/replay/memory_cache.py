"""`MemoryReplayCache`: what one process has seen."""

import heapq
from time import monotonic

from gateway.errors.tree import ReplayCacheUnavailable
from gateway.replay.replay_cache import ReplayCache, hash_value

MAX_VALUES = 100_000  # each takes about 200 bytes


class MemoryReplayCache(ReplayCache):
    """Holds `max_values` at most. A full cache refuses new values: it forgets none too early."""

    # `_expiring` has one entry per value in `_digests`, the first to expire at its head.

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        self._max_values = max_values
        self._digests = set[bytes]()
        self._expiring = list[tuple[float, bytes]]()

    async def remember(self, kind: str, value: str, seconds: float) -> bool:
        """Add the value; there is no other task between the look and the addition."""
        now = monotonic()
        self._remove_expired(now)
        digest = hash_value(kind, value)
        if digest in self._digests:
            return False
        if len(self._digests) >= self._max_values:
            explanation = f"{self._max_values} values are in use; set redis_url"
            raise ReplayCacheUnavailable(self._expiring[0][0] - now, explanation)
        self._digests.add(digest)
        heapq.heappush(self._expiring, (now + seconds, digest))
        return True

    def _remove_expired(self, now: float) -> None:
        while self._expiring and self._expiring[0][0] <= now:
            self._digests.discard(heapq.heappop(self._expiring)[1])
