"""`RedisReplayCache`: what all processes have seen, in Redis."""

from math import ceil

from gateway.errors.tree import ReplayCacheUnavailable
from gateway.ratelimit.redis.commands import RedisCommandFailed, RedisCommands
from gateway.replay.replay_cache import ReplayCache, hash_value

_RETRY_SECONDS = 1.0


class RedisReplayCache(ReplayCache):
    """Sets a key per value (SET NX PX), which Redis drops when its time is over.

    A Redis that loses its data, or evicts keys, forgets values too early. A proof can then be
    replayed until it is too old to be accepted.
    """

    def __init__(self, commands: RedisCommands) -> None:
        self._commands = commands
        self._prefix = f"{commands.prefix}lockgate:used:"

    async def remember(self, kind: str, value: str, seconds: float) -> bool:
        """Set the key of the value, unless it exists."""
        key = f"{self._prefix}{kind}:{hash_value(kind, value).hex()}"
        milliseconds = max(1, ceil(seconds * 1_000))
        command = self._commands.redis.set(key, 1, nx=True, px=milliseconds)
        try:
            return bool(await self._commands.run(command))
        except RedisCommandFailed as error:
            raise ReplayCacheUnavailable(_RETRY_SECONDS, str(error)) from error
