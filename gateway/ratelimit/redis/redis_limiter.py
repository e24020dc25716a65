"""`RedisLimiter`: counts in Redis, and keeps one connection to it in a background task."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from logging import WARNING, getLogger

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.redis.connection import RedisCheckFailed, RedisConnection
from gateway.ratelimit.redis.delete_keys import delete_keys
from gateway.ratelimit.redis.redis_url import CONNECT_SECONDS, create_pool
from gateway.telemetry.log import log_event

PROBE = Charge(RateLimit("probe", "1000000/second", burst=1_000_000), "lockgate:{probe}~")

log = getLogger("lockgate.ratelimit")


class RedisLimiterState(Enum):
    """The states of the limiter: connecting during the first attempt, later one of the others."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


class RedisLimiter(RateLimiter):
    """Counts in Redis, for all processes together.

    `timeout` bounds one check; `retry` is the least time between two attempts to connect. Both are
    in seconds. While there is no connection, every check fails at once.
    """

    # Invariants:
    # - `_connection` is set only in the state CONNECTED: the connection is open, and Redis has
    #   replied to the probe on it. `_failure` is "" then.
    # - In the state DISCONNECTED `_failure` holds the last failure, also during the next attempt.
    #   It is still "" for the moment in which the lost connection is being cleaned up.
    # - `redis.connected` and `redis.disconnected` are logged in turn: a failed attempt after
    #   another failure is neither logged nor counted in `_disconnects`.
    # - There is one connection at most, and only `run` opens and closes it.

    def __init__(self, url: str, *, timeout: float, retry: float) -> None:
        self._timeout = timeout
        self._retry = retry
        self._connection: RedisConnection | None = None
        self._failure = ""
        self._disconnects = 0
        self._first_attempt = asyncio.Event()
        self._pool = create_pool(url)

    def __repr__(self) -> str:
        reason = f", {self._failure}" if self._failure else ""
        return f"<RedisLimiter {self.state.value}, {self._disconnects} disconnects{reason}>"

    @property
    def state(self) -> RedisLimiterState:
        """The state of the limiter; derived, so that no check pays for keeping it."""
        if self._connection is not None:
            return RedisLimiterState.CONNECTED
        if self._first_attempt.is_set():
            return RedisLimiterState.DISCONNECTED
        return RedisLimiterState.CONNECTING

    def check(self, charges: Sequence[Charge]) -> "asyncio.Future[Verdict]":
        """Admit and charge the request, or refuse it at no cost.

        Raises:
            RedisCheckFailed: there is no connection, or (when awaited) no verdict came in time.
        """
        if self._connection is None:
            raise RedisCheckFailed(self._failure or "not connected to Redis")
        return self._connection.check(charges)

    def health(self) -> dict[str, str | int]:
        """Return whether Redis counts. `reason` is the kind of failure; the log has its text."""
        if self._connection is not None:
            return {"redis": "up", "disconnects": self._disconnects}
        kind, _, _ = self._failure.partition(":")
        return {"redis": "down", "disconnects": self._disconnects, "reason": kind}

    async def clear(self, prefix: str) -> None:
        """Delete the counts of all keys that begin with `prefix`; see `delete_keys`."""
        await delete_keys(self._pool, prefix)

    async def wait_first_attempt(self) -> None:
        """Wait until the first attempt to connect has succeeded or failed."""
        await self._first_attempt.wait()

    async def run(self) -> None:
        """Keep a connection to Redis until cancelled, with one attempt at most per `retry`."""
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            try:
                async with self._connect() as connection:
                    await connection.check([PROBE])
                    self._on_connect(connection)
                    await connection.wait_closed()
            except RedisCheckFailed as error:
                self._on_failure(error.__cause__ or error)
            except (RedisError, OSError, TimeoutError) as error:
                self._on_failure(error)
            self._first_attempt.set()
            await asyncio.sleep(started + self._retry - clock())

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[RedisConnection]:
        async with asyncio.timeout(CONNECT_SECONDS):
            pooled: AbstractConnection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        connection = RedisConnection(self._timeout)
        try:
            await connection.open(pooled)
            yield connection
        finally:
            self._connection = None
            connection.close()
            await pooled.disconnect(nowait=True)
            await self._pool.release(pooled)

    def _on_connect(self, connection: RedisConnection) -> None:
        self._connection, self._failure = connection, ""
        self._first_attempt.set()
        log_event(log, "redis.connected")

    def _on_failure(self, error: BaseException) -> None:
        failure = f"{type(error).__name__}: {error}".removesuffix(": ")[:200]
        if not self._failure:
            self._disconnects += 1
            log_event(log, "redis.disconnected", WARNING, reason=failure)
        self._failure = failure
