"""`ClearedPrefixes`: the prefixes of keys whose counts are to be dropped before the next check."""

from collections.abc import Iterator

MAX_PREFIXES = 4_096


class ClearedPrefixes:
    """Collects prefixes from any thread; the thread of the event loop takes them.

    More than `MAX_PREFIXES` of them, without a check in between, become one that fits all keys.
    """

    __slots__ = ("_prefixes",)

    def __init__(self) -> None:
        self._prefixes = set[str]()

    def __len__(self) -> int:
        return len(self._prefixes)

    def add(self, prefix: str) -> None:
        """Add a prefix."""
        # Prefixes that another thread has added before are part of the one that fits all keys.
        if len(self._prefixes) >= MAX_PREFIXES:
            self._prefixes = {""}
        else:
            self._prefixes.add(prefix)

    def take(self) -> Iterator[str]:
        """Remove all prefixes, one by one."""
        while prefixes := self._prefixes:
            yield prefixes.pop()
