"""Calls of the scripts besides that of a check: they update leases, and settle charges."""

import hashlib
from collections.abc import Iterable, Sequence
from importlib import resources

from gateway.ratelimit.limiter import LeaseUpdate, Settlement
from gateway.ratelimit.prefetch_numbers import get_shared_numbers

_FOLDER = resources.files(__package__).joinpath("lua")


class RedisScript:
    """A script for Redis: some of the files in `lua`, in this order."""

    def __init__(self, *names: str) -> None:
        self.text = b"\n".join(_FOLDER.joinpath(f"{name}.lua").read_bytes() for name in names)
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest().encode()


LEASES = RedisScript("common", "concurrency", "leases")
SETTLE = RedisScript("common", "sliding_window", "gcra", "settle")


class ScriptCall:
    """A call of `script`, which returns one integer. Each key has `arguments` of its own."""

    __slots__ = ("arguments", "keys", "script")

    def __init__(
        self, script: RedisScript, keys: Sequence[str], arguments: Iterable[object]
    ) -> None:
        self.script = script
        self.keys = keys
        self.arguments = arguments

    def pack(self, now: int, prefix: bytes, *, with_text: bool = False) -> bytes:
        """Pack the EVALSHA command, or the EVAL command with the text; keys begin with `prefix`.

        A `now` other than 0, in microseconds, replaces the clock of the server; for tests.
        """
        command = (b"EVAL", self.script.text) if with_text else (b"EVALSHA", self.script.sha)
        keys = [prefix + key.encode() for key in self.keys]
        arguments = [str(argument).encode() for argument in self.arguments]
        parts = (*command, b"%d" % len(keys), *keys, b"%d" % now, *arguments)
        return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(it), it) for it in parts)

    def parse_reply(self, reply: Sequence[object]) -> int:
        """Return the integer of the reply.

        Raises:
            TypeError: it is something else.
        """
        if len(reply) != 1 or not isinstance(reply[0], int):
            raise TypeError(f"got {reply!r:.40} in a reply; expected one integer")
        return reply[0]


def update_leases(updates: Sequence[LeaseUpdate]) -> ScriptCall:
    """Call `lua/leases.lua`, which returns the time."""
    arguments: list[object] = []
    for charge, is_release in updates:
        arguments += [charge.lease_id, 0 if is_release else charge.rule.window]
    return ScriptCall(LEASES, [update.charge.key for update in updates], arguments)


def settle(settlement: Settlement) -> ScriptCall:
    """Call `lua/settle.lua`, which returns the time."""
    arguments: list[object] = []
    for charge, difference in settlement.differences:
        rule = charge.rule
        numbers = (*get_shared_numbers(rule), settlement.verdict.now, difference)
        arguments += [rule.algorithm.value, *numbers]
    return ScriptCall(SETTLE, [charge.key for charge, _ in settlement.differences], arguments)
