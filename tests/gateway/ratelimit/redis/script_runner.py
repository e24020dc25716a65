"""Runs the scripts on a real Redis, with the same bytes as the gateway sends."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from redis.exceptions import NoScriptError

from gateway.ratelimit.limiter import Charge, Verdict
from gateway.ratelimit.redis.script import pack_eval, pack_evalsha, parse_reply
from gateway.ratelimit.redis.script_call import ScriptCall
from tests.gateway.ratelimit.charges import START


class ScriptRunner:
    """Checks charges and makes other calls, at a time of the test."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._connection = client.connection_pool.get_connection()

    def decide(self, charges: Sequence[Charge], now: int = START) -> Verdict:
        """Check charges."""
        try:
            return parse_reply(charges, self._send(pack_evalsha(charges, now)))
        except NoScriptError:
            return parse_reply(charges, self._send(pack_eval(charges, now)))

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
