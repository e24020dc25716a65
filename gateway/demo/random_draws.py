"""Numbers that look drawn by lot and are the same every time: the seed of all demo data."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A stream of choices that depends on nothing but what names it.

    `Draw("orders", 7)` gives the same choices on every machine and Python; the standard library's
    `random` promises that for `random()` alone.
    """

    __slots__ = ("_block", "_name", "_turn")

    def __init__(self, *name: str | int) -> None:
        self._name = "/".join(map(str, name)).encode()
        self._turn = 0
        self._block = b""

    def below(self, limit: int) -> int:
        """An integer from 0 to `limit` - 1; the bias of 64 bits is of no account here."""
        if not self._block:
            turn = self._turn.to_bytes(8, "big")
            self._block = blake2b(self._name, digest_size=64, salt=turn).digest()
            self._turn += 1
        number, self._block = self._block[:8], self._block[8:]
        return int.from_bytes(number, "big") % limit

    def between(self, least: int, most: int) -> int:
        """An integer from `least` to `most`, both included."""
        return least + self.below(most - least + 1)

    def chance(self, percent: int) -> bool:
        """True that often."""
        return self.below(100) < percent

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`."""
        return options[self.below(len(options))]

    def several(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different ones of `options`, or all of them if there are fewer."""
        left = list(options)
        return [left.pop(self.below(len(left))) for _ in range(min(count, len(left)))]
