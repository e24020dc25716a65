"""Runs the scripts on a real Redis, with the same bytes as the gateway sends."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import redis
from redis.exceptions import NoScriptError

from gateway.ratelimit.limiter import Charge, Verdict
from gateway.ratelimit.redis.script import pack_eval, pack_evalsha, parse_reply
from gateway.ratelimit.redis.script_call import ScriptCall
from tests.gateway.ratelimit.charges import START


class ScriptRunner:
    """Checks charges and makes other calls, at a time of the test.

    Redis lets keys expire at the time of the machine. With `keeps_keys`, a key outlives its check,
    however long the machine takes for the next one.
    """

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.keeps_keys = False
        self._connection = client.connection_pool.get_connection()

    def decide(self, charges: Sequence[Charge], now: int = START) -> Verdict:
        """Check charges."""
        send = partial(self._send_and_keep, charges) if self.keeps_keys else self._send
        try:
            return parse_reply(charges, send(pack_evalsha(charges, now)))
        except NoScriptError:
            return parse_reply(charges, send(pack_eval(charges, now)))

    def call(self, call: ScriptCall, now: int = START) -> int:
        """Make another call."""
        try:
            return call.parse_reply(self._send(call.pack(now, b"")))
        except NoScriptError:
            return call.parse_reply(self._send(call.pack(now, b"", with_text=True)))

    def close(self) -> None:
        """Give the connection back."""
        self.client.connection_pool.release(self._connection)

    def _send(self, command: bytes) -> list[Any]:
        self._connection.send_packed_command([command])  # type: ignore[no-untyped-call]
        return skip_replaced_keys(self._connection.read_response())

    def _send_and_keep(self, charges: Sequence[Charge], command: bytes) -> list[Any]:
        """Send a check in one transaction with what keeps its keys."""
        before, *after = [
            b"".join(self._connection.pack_command(*it))  # type: ignore[no-untyped-call]
            for it in (("MULTI",), *(("PERSIST", charge.key) for charge in charges), ("EXEC",))
        ]
        self._connection.send_packed_command([before, command, *after])  # type: ignore[no-untyped-call]
        for _ in range(2 + len(charges)):
            self._connection.read_response()
        reply, *_ = self._connection.read_response()
        if isinstance(reply, Exception):
            raise reply
        return skip_replaced_keys(reply)


def skip_replaced_keys(reply: list[Any]) -> list[Any]:
    """Leave the first value of a reply alone, without the positions of the keys replaced."""
    first, *rest = reply
    return [first[0] if isinstance(first, list) else first, *rest]


@contextmanager
def open_runner(url: str) -> Iterator[ScriptRunner]:
    """Open a connection for the scripts."""
    with redis.Redis.from_url(url) as client:
        runner = ScriptRunner(client)
        yield runner
        runner.close()
