"""Packs the charges of one request into the command that runs `count.lua`; parses its reply."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

from gateway.ratelimit.limiter import Charge, Standing, Verdict
from gateway.ratelimit.policy import MICROSECONDS, RateLimit, cache_per_policy, get_limit_params

SCRIPT = resources.files(__package__).joinpath("count.lua").read_bytes()
SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()

_SERVER_CLOCK = b"$1\r\n0\r\n"


def pack_evalsha(charges: Sequence[Charge], now: int = 0, prefix: bytes = b"") -> bytes:
    """Pack the EVALSHA command; each key begins with `prefix`.

    A `now` other than 0, in microseconds, replaces the clock of the server; for tests.
    """
    return _pack(_pack_head(b"EVALSHA", SHA, len(charges)), charges, now, prefix)


def pack_eval(charges: Sequence[Charge], now: int = 0, prefix: bytes = b"") -> bytes:
    """Pack the EVAL command, which carries the script, for a server that does not have it."""
    return _pack(_pack_head(b"EVAL", SCRIPT, len(charges)), charges, now, prefix)


def parse_reply(charges: Sequence[Charge], reply: Sequence[int]) -> Verdict:
    """Turn the reply of the script into a verdict.

    Raises:
        ValueError, TypeError: the reply is not four integers of at least 0 per charge.
    """
    if len(reply) != 4 * len(charges) or min(reply) < 0:
        raise ValueError(
            f"got a reply of {len(reply)} integers for {len(charges)} charges; "
            f"expected {4 * len(charges)}, none of them negative"
        )
    standings = []
    first = 0
    for charge in charges:
        reset, retry_after = reply[first + 3] / MICROSECONDS, reply[first + 2] / MICROSECONDS
        standings.append(Standing(charge.policy, reply[first + 1], reset, retry_after))
        first += 4
    return Verdict.of(standings)


def _pack(head: bytes, charges: Sequence[Charge], now: int, prefix: bytes) -> bytes:
    """Pack a command in RESP: an array of bulk strings."""
    parts = [head]
    for charge in charges:
        key = prefix + charge.key.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(key), key))
    parts.append(_pack_bulk_string(b"%d" % now) if now else _SERVER_CLOCK)
    for charge in charges:
        policy, cost = charge.policy, charge.cost
        parts.append(_pack_cost_of_one(policy) if cost == 1 else _pack_arguments(policy, cost))
    return b"".join(parts)


@lru_cache(maxsize=64)
def _pack_head(command: bytes, script: bytes, charges: int) -> bytes:
    length = 4 + 6 * charges
    strings = (command, script, b"%d" % charges)
    return b"*%d\r\n" % length + b"".join(map(_pack_bulk_string, strings))


@cache_per_policy
def _pack_cost_of_one(policy: RateLimit) -> bytes:
    return _pack_arguments(policy, 1)


def _pack_arguments(policy: RateLimit, cost: int) -> bytes:
    quota, window, burst = get_limit_params(policy)
    numbers = (quota, window, cost, burst, policy.shadow)
    return b"".join([_pack_bulk_string(b"%d" % number) for number in numbers])


def _pack_bulk_string(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)
