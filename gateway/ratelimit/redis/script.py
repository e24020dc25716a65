"""`count.lua` on the wire: the command that carries one request's charges, and its answer."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

from gateway.ratelimit.algorithms.limit_state import MICROSECONDS, limit_params
from gateway.ratelimit.limiter import Charge, Standing, Verdict
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_cache import cache_per_policy

SCRIPT = resources.files(__package__).joinpath("count.lua").read_bytes()
SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()

_SERVERS_CLOCK = b"$1\r\n0\r\n"


def evalsha(charges: Sequence[Charge], now: int = 0) -> bytes:
    """The command, packed; `now` in microseconds replaces the server's clock, for tests."""
    return _pack(_head(b"EVALSHA", SHA, len(charges)), charges, now)


def evaluate(charges: Sequence[Charge], now: int = 0) -> bytes:
    """The same with the script in it, for a server that does not know it (yet, or any more)."""
    return _pack(_head(b"EVAL", SCRIPT, len(charges)), charges, now)


def read(charges: Sequence[Charge], answer: Sequence[int]) -> Verdict:
    """What the script's answer says.

    Raises:
        ValueError, TypeError: it is not four numbers per charge, none of them negative.
    """
    if len(answer) != 4 * len(charges) or min(answer) < 0:
        raise ValueError(f"{len(answer)} numbers on {len(charges)} policies, or negative ones")
    standings = []
    at = 0
    for charge in charges:
        reset, retry_after = answer[at + 3] / MICROSECONDS, answer[at + 2] / MICROSECONDS
        standings.append(Standing(charge.policy, answer[at + 1], reset, retry_after))
        at += 4
    return Verdict.of(standings)


def _pack(head: bytes, charges: Sequence[Charge], now: int) -> bytes:
    """The command in RESP: an array of bulk strings."""
    words = [head]
    for charge in charges:
        key = charge.key.encode()
        words.append(b"$%d\r\n%b\r\n" % (len(key), key))
    words.append(_bulk(b"%d" % now) if now else _SERVERS_CLOCK)
    for charge in charges:
        policy, cost = charge.policy, charge.cost
        words.append(_once(policy) if cost == 1 else _numbers(policy, cost))
    return b"".join(words)


@lru_cache(maxsize=64)
def _head(command: bytes, script: bytes, policies: int) -> bytes:
    words = 4 + 6 * policies
    return b"*%d\r\n" % words + b"".join(map(_bulk, (command, script, b"%d" % policies)))


@cache_per_policy
def _once(policy: RateLimit) -> bytes:
    return _numbers(policy, 1)


def _numbers(policy: RateLimit, cost: int) -> bytes:
    quota, window, burst = limit_params(policy)
    return b"".join([_bulk(b"%d" % n) for n in (quota, window, cost, burst, policy.shadow)])


def _bulk(word: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(word), word)
