"""`count.lua` on the wire: the command that carries one request's charges, and its answer."""

import hashlib
from collections.abc import Sequence
from importlib import resources

from hiredis import pack_command

from gateway.limits.account import MICROSECONDS, Terms
from gateway.limits.limiter import Charge, Standing, Verdict

SCRIPT = resources.files(__package__).joinpath("count.lua").read_bytes()
SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()


def evalsha(charges: Sequence[Charge], now: int = 0) -> bytes:
    """The command, packed; `now` in microseconds replaces the server's clock, for tests."""
    return _pack(b"EVALSHA", SHA, charges, now)


def evaluate(charges: Sequence[Charge], now: int = 0) -> bytes:
    """The same with the script in it, for a server that does not know it (yet, or any more)."""
    return _pack(b"EVAL", SCRIPT, charges, now)


def _pack(command: bytes, script: bytes, charges: Sequence[Charge], now: int) -> bytes:
    words: list[bytes | str | int] = [command, script, len(charges)]
    words += [charge.key for charge in charges]
    words.append(now)
    for charge in charges:
        terms = Terms.of(charge.policy)
        words += [terms.quota, terms.window, charge.cost, terms.burst, int(charge.policy.shadow)]
    packed: bytes = pack_command(tuple(words))  # type: ignore[arg-type]  # its stub knows only 1-tuples
    return packed


def read(charges: Sequence[Charge], answer: list[int]) -> Verdict:
    """What the script's answer says."""
    return Verdict.of(
        [
            Standing(
                charge.policy,
                answer[at + 1],
                answer[at + 3] / MICROSECONDS,
                answer[at + 2] / MICROSECONDS,
            )
            for at, charge in zip(range(0, len(answer), 4), charges, strict=True)
        ]
    )
