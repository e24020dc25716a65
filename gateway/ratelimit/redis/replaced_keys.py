"""`ReplacedKeys`: logs the keys that a script has replaced: another program had written them."""

from collections.abc import Sequence
from logging import WARNING, getLogger
from typing import Any

from gateway.ratelimit.partition import get_policy
from gateway.telemetry.log import log_event

MAX_LOGGED_KEYS = 100  # per connection

log = getLogger("lockgate.ratelimit")


class ReplacedKeys:
    """Logs each key once, up to `MAX_LOGGED_KEYS`. All keys in Redis begin with `prefix`."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix.decode()
        self._logged: set[str] = set()

    def log(self, first: Sequence[Any], keys: Sequence[str]) -> Any:  # noqa: ANN401
        """Log the keys at the positions in `first`, and return the value before them.

        `first` is the first value of the reply of a script; see `lua/common.lua`.
        """
        value, *positions = first
        for position in positions:
            key = keys[position - 1]
            if key not in self._logged and len(self._logged) < MAX_LOGGED_KEYS:
                self._logged.add(key)
                fields = {"policy": get_policy(key), "key": f"{self._prefix}{key}"}
                log_event(log, "redis.key_replaced", WARNING, **fields)
        return value
