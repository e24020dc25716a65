"""Packs the charges of one request into the command that runs the script; parses its reply.

The script consists of the files in `lua`. `lua/count.lua` says what it takes and returns.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

from gateway.ratelimit.limiter import Charge, Standing, State, Verdict
from gateway.ratelimit.rule import MICROSECONDS, Rule, cache_per_rule

_FILES = ("common", "sliding_window", "gcra", "count")
_FOLDER = resources.files(__package__).joinpath("lua")

SCRIPT = b"\n".join(_FOLDER.joinpath(f"{name}.lua").read_bytes() for name in _FILES)
SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()

_ARGUMENTS = 8  # per charge, and one more is its key
_VALUES = 5  # of the reply, per charge
_SERVER_CLOCK = b"$1\r\n0\r\n"


def pack_evalsha(charges: Sequence[Charge], now: int = 0, prefix: bytes = b"") -> bytes:
    """Pack the EVALSHA command; each key begins with `prefix`.

    A `now` other than 0, in microseconds, replaces the clock of the server; for tests.
    """
    return _pack(_pack_head(b"EVALSHA", SHA, len(charges)), charges, now, prefix)


def pack_eval(charges: Sequence[Charge], now: int = 0, prefix: bytes = b"") -> bytes:
    """Pack the EVAL command, which carries the script, for a server that does not have it."""
    return _pack(_pack_head(b"EVAL", SCRIPT, len(charges)), charges, now, prefix)


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
    first = 1
    for charge in charges:
        numbers = reply[first : first + 4]
        if min(numbers) < 0:
            raise ValueError(f"got {numbers} in a reply; expected integers of at least 0")
        _, remaining, retry_after, reset = numbers
        standings.append(
            Standing(charge.rule, remaining, reset / MICROSECONDS, retry_after / MICROSECONDS)
        )
        if charge.wants_state:
            states[charge.key] = _read_state(reply[first + 4])
        first += _VALUES
    return Verdict.of(standings, now, states=states or None)


def _read_state(value: object) -> State:
    if not isinstance(value, list):
        raise TypeError(f"got {value!r:.40} in a reply; expected the state of a key")
    return tuple(value)


def _pack(head: bytes, charges: Sequence[Charge], now: int, prefix: bytes) -> bytes:
    """Pack a command in RESP: an array of bulk strings."""
    parts = [head]
    for charge in charges:
        key = prefix + charge.key.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(key), key))
    parts.append(_pack_bulk_string(b"%d" % now) if now else _SERVER_CLOCK)
    for charge in charges:
        if charge.cost == 1 and not charge.lease_id and not charge.wants_state:
            parts.append(_pack_plain_charge(charge.rule))
        else:
            parts.append(_pack_arguments(charge))
    return b"".join(parts)


@lru_cache(maxsize=64)
def _pack_head(command: bytes, script: bytes, charges: int) -> bytes:
    length = 4 + (1 + _ARGUMENTS) * charges
    strings = (command, script, b"%d" % charges)
    return b"*%d\r\n" % length + b"".join(map(_pack_bulk_string, strings))


@cache_per_rule
def _pack_plain_charge(rule: Rule) -> bytes:
    return _pack_arguments(Charge(rule, ""))


def _pack_arguments(charge: Charge) -> bytes:
    rule = charge.rule
    numbers = (rule.quota, rule.window, rule.burst, charge.cost, rule.shadow)
    values = [rule.algorithm.value.encode(), *(b"%d" % number for number in numbers)]
    values += [charge.lease_id.encode(), b"%d" % charge.wants_state]
    return b"".join(map(_pack_bulk_string, values))


def _pack_bulk_string(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)
