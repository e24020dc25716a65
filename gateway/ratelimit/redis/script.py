"""Packs the charges of one request into the command that runs the script; parses its reply.

The script consists of the files in `lua`. `lua/count.lua` says what it takes and returns.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from gateway.ratelimit.algorithms.concurrency import require_lease_id
from gateway.ratelimit.limiter import Charge, Standing, State, Verdict
from gateway.ratelimit.prefetch_numbers import get_shared_numbers
from gateway.ratelimit.redis.script_call import RedisScript
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule, cache_per_rule

EPOCH_KEY = "lockgate:epoch"
"""The key of the epoch of all counts; see `lua/epoch.lua`."""

_SCRIPT = RedisScript("common", "sliding_window", "gcra", "concurrency", "count")
SCRIPT, SHA = _SCRIPT.text, _SCRIPT.sha

_ARGUMENTS = 8  # per charge, and one more is its key
_VALUES = 5  # of the reply, per charge


def pack_evalsha(
    charges: Sequence[Charge], now: int = 0, prefix: bytes = b"", epoch: bytes = b""
) -> bytes:
    """Pack the EVALSHA command; each key begins with `prefix`.

    Redis refuses a check of another `epoch` than its own; with b"" it takes any. A `now` other than
    0, in microseconds, replaces the clock of the server; for tests.
    """
    head = _pack_head(b"EVALSHA", SHA, len(charges), bool(epoch))
    return _pack(head, charges, prefix, _pack_shared(now, prefix, epoch))


def pack_eval(
    charges: Sequence[Charge], now: int = 0, prefix: bytes = b"", epoch: bytes = b""
) -> bytes:
    """Pack the EVAL command, which carries the script, for a server that does not have it."""
    head = _pack_head(b"EVAL", SCRIPT, len(charges), bool(epoch))
    return _pack(head, charges, prefix, _pack_shared(now, prefix, epoch))


def parse_reply(charges: Sequence[Charge], reply: Sequence[Any]) -> Verdict:
    """Turn the reply of the script into a verdict.

    Raises:
        ValueError, TypeError: the reply is not a time, and five values for each charge: four
            integers of at least 0, and a state if the charge wants one.
    """
    if len(reply) != 1 + _VALUES * len(charges):
        raise ValueError(
            f"got a reply of {len(reply)} values for {len(charges)} charges; "
            f"expected {1 + _VALUES * len(charges)}"
        )
    now = reply[0]
    if not isinstance(now, int):
        raise TypeError(f"got {now!r:.40} in a reply; expected a time")
    standings, states = [], {}
    first, granted = 1, 0
    for charge in charges:
        numbers = reply[first : first + 4]
        if min(numbers) < 0:
            raise ValueError(f"got {numbers} in a reply; expected integers of at least 0")
        fits, remaining, retry_after, reset = numbers
        granted = max(granted, fits - 1)
        standings.append(
            Standing(charge.rule, remaining, reset / MICROSECONDS, retry_after / MICROSECONDS)
        )
        if charge.wants_state:
            states[charge.key] = _read_state(reply[first + 4])
        first += _VALUES
    return Verdict.of(standings, now, states=states or None, granted=granted)


def _read_state(value: object) -> State:
    if not isinstance(value, list):
        raise TypeError(f"got {value!r:.40} in a reply; expected the state of a key")
    return tuple(value)


def _pack(head: bytes, charges: Sequence[Charge], prefix: bytes, shared: bytes) -> bytes:
    """Pack a command in RESP: an array of bulk strings."""
    parts = [head]
    for charge in charges:
        key = prefix + charge.key.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(key), key))
    parts.append(shared)
    for charge in charges:
        if charge.cost == 1 and not (charge.lease_id or charge.wants_state or charge.advance):
            parts.append(_pack_plain_charge(charge.rule))
        else:
            parts.append(_pack_arguments(charge))
    return b"".join(parts)


@lru_cache(maxsize=64)
def _pack_head(command: bytes, script: bytes, charges: int, has_epoch: bool) -> bytes:
    length = 5 + has_epoch + (1 + _ARGUMENTS) * charges
    strings = (command, script, b"%d" % (charges + has_epoch))
    return b"*%d\r\n" % length + b"".join(map(_pack_bulk_string, strings))


@lru_cache(maxsize=64)
def _pack_shared(now: int, prefix: bytes, epoch: bytes) -> bytes:
    """Pack what follows the keys of the charges: the key of the epoch, the time, and the epoch."""
    key = _pack_bulk_string(prefix + EPOCH_KEY.encode()) if epoch else b""
    return key + _pack_bulk_string(b"%d" % now) + _pack_bulk_string(epoch)


@cache_per_rule
def _pack_plain_charge(rule: Rule) -> bytes:
    return _pack_arguments(Charge(rule, ""))


def _pack_arguments(charge: Charge) -> bytes:
    rule = charge.rule
    if rule.algorithm is Algorithm.CONCURRENCY and charge.cost:
        require_lease_id(rule, charge.lease_id)
    numbers = (*get_shared_numbers(rule), charge.cost)
    values = [rule.algorithm.value.encode(), *(b"%d" % number for number in numbers)]
    values.append(rule.policy.encode() if rule.shadow else b"")
    lease_or_advance = charge.lease_id or (charge.advance and f"{charge.advance}") or ""
    values += [lease_or_advance.encode(), b"%d" % charge.wants_state]
    return b"".join(map(_pack_bulk_string, values))


def _pack_bulk_string(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)
