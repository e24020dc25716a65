"""Calls of `lua/epoch.lua` and `lua/restore.lua`."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.ratelimit.redis.script import EPOCH_KEY
from gateway.ratelimit.redis.script_call import RedisScript, ScriptCall
from gateway.ratelimit.rule import Algorithm

_EPOCH = RedisScript("common", "epoch")
_RESTORE = RedisScript("common", "sliding_window", "gcra", "restore")


class RememberedCount(NamedTuple):
    """The counts of one key that a process remembers.

    `pairs` are the age and the count of each bucket of a sliding window, or 0 and the level of a
    leaky bucket, which `quota` drains. Times are in microseconds.
    """

    key: str
    algorithm: Algorithm
    quota: int
    window: int
    pairs: Sequence[tuple[int, int]]


def open_epoch(known: str, new: str, wait: int) -> ScriptCall:
    """Open an epoch; the reply is not one integer, see `lua/epoch.lua`."""
    return ScriptCall(_EPOCH, [EPOCH_KEY], [known, new, wait])


def restore_counts(epoch: str, counts: Sequence[RememberedCount] = ()) -> ScriptCall:
    """Add counts to an epoch; without any, check that it lasts. Returns their number."""
    arguments: list[str | int] = [epoch]
    for count in counts:
        arguments += [count.algorithm.value, count.quota, count.window, len(count.pairs)]
        for pair in count.pairs:
            arguments += pair
    return ScriptCall(_RESTORE, [EPOCH_KEY, *(count.key for count in counts)], arguments)
