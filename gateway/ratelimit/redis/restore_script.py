"""Packs the commands that run `lua/epoch.lua` and `lua/restore.lua`."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.ratelimit.redis.script import EPOCH_KEY, join_script
from gateway.ratelimit.rule import Algorithm

_EPOCH = join_script("epoch")
_RESTORE = join_script("common", "sliding_window", "gcra", "restore")


class RememberedCount(NamedTuple):
    """What a process remembers of one key.

    `pairs` are the age and the count of each bucket of a sliding window, or 0 and the level of a
    leaky bucket, which `quota` drains. Times are in microseconds.
    """

    key: str
    algorithm: Algorithm
    quota: int
    window: int
    pairs: Sequence[tuple[int, int]]


def pack_epoch(prefix: bytes, known: bytes, new: bytes, wait: int) -> bytes:
    """Pack the command that opens an epoch; see `lua/epoch.lua`."""
    return _pack(b"EVAL", _EPOCH, 1, prefix + EPOCH_KEY, known, new, wait)


def pack_restore(prefix: bytes, epoch: bytes, counts: Sequence[RememberedCount] = ()) -> bytes:
    """Pack the command that adds counts to an epoch; without any, to check that it lasts."""
    keys = [prefix + count.key.encode() for count in counts]
    arguments: list[bytes | int] = [epoch]
    for count in counts:
        arguments += [count.algorithm.value.encode(), count.quota, count.window, len(count.pairs)]
        for pair in count.pairs:
            arguments += pair
    return _pack(b"EVAL", _RESTORE, 1 + len(keys), prefix + EPOCH_KEY, *keys, *arguments)


def _pack(*parts: bytes | int) -> bytes:
    """Pack a command in RESP: an array of bulk strings."""
    strings = [part if isinstance(part, bytes) else b"%d" % part for part in parts]
    return b"*%d\r\n" % len(strings) + b"".join(b"$%d\r\n%b\r\n" % (len(it), it) for it in strings)
