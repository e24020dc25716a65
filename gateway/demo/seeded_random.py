"""Random-looking numbers that are the same on every run: the source of all demo data."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class SeededRandom:
    """A stream of pseudo-random choices, determined by its seed alone.

    `SeededRandom("orders", 7)` gives the same choices on every machine and Python version.
    The standard library guarantees that only for `random.random()`. The method names are its own.
    """

    __slots__ = ("_block", "_block_count", "_seed")

    def __init__(self, *seed: str | int) -> None:
        self._seed = "/".join(map(str, seed)).encode()
        self._block_count = 0
        self._block = b""

    def randbelow(self, limit: int) -> int:
        """Return an integer from 0 to `limit` - 1; the modulo bias of 64 bits is negligible."""
        if not self._block:
            salt = self._block_count.to_bytes(8, "big")
            self._block = blake2b(self._seed, digest_size=64, salt=salt).digest()
            self._block_count += 1
        number, self._block = self._block[:8], self._block[8:]
        return int.from_bytes(number, "big") % limit

    def randint(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return low + self.randbelow(high - low + 1)

    def chance(self, percent: int) -> bool:
        """Return True with a probability of `percent` percent."""
        return self.randbelow(100) < percent

    def choice(self, options: Sequence[T]) -> T:
        """Return one of `options`."""
        return options[self.randbelow(len(options))]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Return `count` different `options`, or all of them if there are fewer."""
        rest = list(options)
        return [rest.pop(self.randbelow(len(rest))) for _ in range(min(count, len(rest)))]
