"""The limiter on Redis, and the one task that keeps a link to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from logging import WARNING, getLogger

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.redis.connection import RedisCheckFailed, RedisConnection
from gateway.telemetry.log import log_event

CONNECT_SECONDS = 0.5
PROBE = Charge(RateLimit("probe", "1000000/second", burst=1_000_000), "lockgate:{probe}~")

log = getLogger("lockgate.limits")


class RedisLimiter(RateLimiter):
    """Counts in Redis, for all processes together.

    `timeout` bounds one check, `retry` is how long after a failure Redis is tried again; both
    in seconds. In between every check fails at once.
    """

    def __init__(self, url: str, *, timeout: float, retry: float) -> None:
        self._timeout = timeout
        self._retry = retry
        self._link: RedisConnection | None = None
        self._down_because = ""
        self._falls = 0
        self._tried = asyncio.Event()
        # No time-out of redis-py's own on reads and writes: `RedisConnection` has a stricter one,
        # which knows when our loop was busy. No retry either: a debit sent twice counts twice.
        self._pool = ConnectionPool.from_url(
            url,
            max_connections=1,
            protocol=2,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=None,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )

    def check(self, charges: Sequence[Charge]) -> "asyncio.Future[Verdict]":
        """Admit and charge the request, or refuse it at no cost.

        Raises:
            CountersFailed: Redis is known to be away, or (when awaited) gave no verdict in time.
        """
        if self._link is None:
            raise RedisCheckFailed(self._down_because or "not connected")
        return self._link.check(charges)

    def health(self) -> dict[str, str | int]:
        """Whether Redis counts, and if not, the kind of failure: where it is, is for the log."""
        if self._link is not None:
            return {"redis": "up", "falls": self._falls}
        kind, _, _ = self._down_because.partition(":")
        return {"redis": "down", "falls": self._falls, "reason": kind}

    async def tried(self) -> None:
        """Wait until Redis has been tried once, whatever came of it."""
        await self._tried.wait()

    async def run(self) -> None:
        """Keep a link to Redis until cancelled; never more than one try per `retry`."""
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                async with self._linked() as link:
                    await link.check([PROBE])
                    self._rise(link)
                    await link.over()
            except RedisCheckFailed as unanswered:
                self._fall(unanswered.__cause__ or unanswered)
            except (RedisError, OSError, TimeoutError) as failure:
                self._fall(failure)
            self._tried.set()
            await asyncio.sleep(began + self._retry - clock())

    @asynccontextmanager
    async def _linked(self) -> AsyncIterator[RedisConnection]:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection: AbstractConnection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        link = RedisConnection(self._timeout)
        try:
            await link.open(connection)
            yield link
        finally:
            self._link = None
            link.close()
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)

    def _rise(self, link: RedisConnection) -> None:
        self._link, self._down_because = link, ""
        self._tried.set()
        log_event(log, "redis.found")

    def _fall(self, failure: BaseException) -> None:
        reason = f"{type(failure).__name__}: {failure}".removesuffix(": ")[:200]
        if not self._down_because:
            self._falls += 1
            log_event(log, "redis.lost", WARNING, why=reason)
        self._down_because = reason
