"""`RedisLimiter`: counts in Redis, and keeps one connection to it in a background task."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from functools import partial
from logging import ERROR, WARNING, getLogger
from math import inf
from pathlib import Path
from threading import get_ident

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from gateway.background_tasks import raise_lost_cancellation
from gateway.ratelimit.limiter import (
    Charge,
    LeaseUpdate,
    Mark,
    RateLimiter,
    RedisCheckFailed,
    Settlement,
    Verdict,
)
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.redis import script_call
from gateway.ratelimit.redis.connection import RedisConnection
from gateway.ratelimit.redis.count_restorer import CountRestorer
from gateway.ratelimit.redis.delete_keys import delete_keys
from gateway.ratelimit.redis.failures import bound_step, describe_failure, require_standalone
from gateway.ratelimit.redis.redis_url import CONNECT_SECONDS, create_pool, is_tls
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule
from gateway.telemetry.log import log_event

_PROBE_RULE = Rule("probe", "probe", Algorithm.GCRA, 1_000_000, MICROSECONDS, burst=1_000_000)
PROBE = Charge(_PROBE_RULE, make_key(_PROBE_RULE, "probe"))

log = getLogger("lockgate.ratelimit")


class RedisLimiterState(Enum):
    """The states of the limiter: connecting during the first attempt, later one of the others."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


class RedisLimiter(RateLimiter):
    """Counts in Redis, for all processes together.

    `timeout` bounds one check; `retry` is the mean time between two attempts to connect. Both are
    in seconds. Each key begins with `key_prefix`. `ca_file` has CAs to trust in addition to those
    of the system. While there is no connection, every check fails at once. Without a `restorer`
    a Redis that has lost its counts goes unnoticed. `without_redis` says, for the log and for
    `health`, what the policies do while Redis does not count.
    """

    # Invariants:
    # - `_connection` is set only in the state CONNECTED: the connection is open, and Redis has
    #   replied to the probe on it. `_failure` is "" then.
    # - In the state DISCONNECTED `_failure` holds the last failure, also during the next attempt.
    #   It is still "" for the moment in which the lost connection is being cleaned up.
    # - `redis.disconnected` is logged once for each kind of failure (`_logged`) until the next
    #   `redis.connected`. `_disconnects` counts the first failure after a connection alone.
    # - There is one connection at most, and only `run` opens and closes it.

    def __init__(  # noqa: PLR0913 - one keyword per setting
        self,
        url: str,
        *,
        timeout: float,
        retry: float,
        key_prefix: str = "",
        ca_file: Path | None = None,
        restorer: CountRestorer | None = None,
        without_redis: str = "",
    ) -> None:
        self._is_tls = is_tls(url)
        self._timeout = timeout
        self._retry = retry
        self._key_prefix = key_prefix.encode()
        self._restorer = restorer
        self._without_redis = {"without_redis": without_redis} if without_redis else {}
        self._connection: RedisConnection | None = None
        self._failure, self._has_worked = "", False
        self._lost_at = -inf
        self._logged: set[str] = set()
        self._disconnects = 0
        self._on_connect_callbacks: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._first_attempt: asyncio.Future[None] = self._loop.create_future()
        self._pool = create_pool(url, ca_file)

    def __repr__(self) -> str:
        reason = f", {self._failure}" if self._failure else ""
        return f"<RedisLimiter {self.state.value}, {self._disconnects} disconnects{reason}>"

    @property
    def state(self) -> RedisLimiterState:
        """The state of the limiter; derived, so that no check pays for keeping it."""
        if self._connection is not None:
            return RedisLimiterState.CONNECTED
        if self._first_attempt.done():
            return RedisLimiterState.DISCONNECTED
        return RedisLimiterState.CONNECTING

    def check(self, charges: Sequence[Charge]) -> "asyncio.Future[Verdict]":
        """Admit and charge the request, or refuse it at no cost.

        Raises:
            RedisCheckFailed: there is no connection, or (when awaited) no verdict came in time.
        """
        return self._require_connection().check(charges)

    def update_leases(self, updates: Sequence[LeaseUpdate]) -> "asyncio.Future[int]":
        """Renew and release leases, before any later check.

        Raises:
            RedisCheckFailed: as for `check`.
        """
        sent = self._require_connection().call(script_call.update_leases(updates))
        if self.count_observer is not None:
            on_update = partial(self.count_observer.observe_leases, updates)
            sent.add_done_callback(partial(_call_with_time, on_update))
        return sent

    def call_on_connect(self, callback: Callable[[], None]) -> None:
        """Call a function after each later connect: Redis may have lost what it knew."""
        self._on_connect_callbacks.append(callback)

    def mark(self) -> Mark:
        """Return an empty mark: Redis has a clock of its own."""
        return Mark(0, 0)

    def settle(self, settlement: Settlement) -> "asyncio.Future[int] | None":
        """Correct charges that Redis has decided, or that were restored in it.

        Raises:
            RedisCheckFailed: as for `check`.
        """
        if not settlement.differences:
            return None
        sent = self._require_connection().call(script_call.settle(settlement))
        if self.count_observer is not None:
            on_settled = partial(self._observe_settlement, settlement)
            sent.add_done_callback(partial(_call_with_time, on_settled))
        return sent

    def health(self) -> dict[str, str | int]:
        """Return whether Redis counts. `reason` is the kind of failure; the log has its text."""
        if self._connection is not None:
            return {"redis": "up", "disconnects": self._disconnects}
        if self._restorer is not None and self._restorer.is_restoring:
            return {
                "redis": "restoring",
                "disconnects": self._disconnects,
                **self._without_redis,
            }
        kind = re.split(r"[: ]", self._failure, maxsplit=1)[0]
        return {
            "redis": "down",
            "disconnects": self._disconnects,
            "reason": kind,
            **self._without_redis,
        }

    def clear_local(self, prefix: str) -> None:
        """Let the observer note that counts are about to be deleted, here or elsewhere."""
        self._forget(prefix)

    async def clear_shared(self, prefix: str, keys: Collection[str] = ()) -> None:
        """Delete the counts of `keys`, or of all keys that begin with `prefix`."""
        first = self._key_prefix.decode()
        await delete_keys(self._pool, first + prefix, [first + key for key in keys])
        self._forget(prefix)

    async def wait_first_attempt(self) -> None:
        """Wait until the first attempt to connect has succeeded or failed.

        Raises:
            Exception: it failed for a reason that no Redis causes, such as a bug.
        """
        await asyncio.shield(self._first_attempt)

    async def run(self) -> None:
        """Keep a connection to Redis until cancelled, with an attempt every `retry` seconds.

        Each pause is between a half and one and a half of that, so that the processes do not come
        back at the same time. No exception ends it: an unexpected one is logged with its
        traceback, and the next attempt may succeed.
        """
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            try:
                async with self._connect() as connection:
                    await connection.check([PROBE])
                    self._on_connect(connection)
                    await self._keep_epoch(connection)
                    await connection.wait_closed()
            except RedisCheckFailed as error:
                self._on_failure(error.__cause__ or error)
            except (RedisError, OSError, TimeoutError) as error:
                self._on_failure(error)
            except Exception as error:  # noqa: BLE001 - see above
                self._on_failure(error, traceback=error)
                self._end_first_attempt(error)
            raise_lost_cancellation()
            self._end_first_attempt()
            pause = self._retry * (0.5 + random.random())  # noqa: S311 - no secret
            await asyncio.sleep(started + pause - clock())

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[RedisConnection]:
        async with bound_step("while connecting to Redis", CONNECT_SECONDS):
            pooled: AbstractConnection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            async with bound_step("while connecting to Redis", CONNECT_SECONDS):
                await require_standalone(pooled)
            epoch = ""
            if self._restorer is not None:
                self._forget()
                away = asyncio.get_running_loop().time() - self._lost_at
                epoch = await self._restorer.restore(pooled, self._key_prefix, away)
            raise_lost_cancellation()
            async with self._open(pooled, epoch) as connection:
                yield connection
        finally:
            await pooled.disconnect(nowait=True)
            await self._pool.release(pooled)

    @asynccontextmanager
    async def _open(self, pooled: AbstractConnection, epoch: str) -> AsyncIterator[RedisConnection]:
        connection = RedisConnection(self._timeout, 0, self._key_prefix, epoch.encode())
        try:
            await connection.open(pooled)
            yield connection
        finally:
            self._connection = None
            connection.close()

    async def _keep_epoch(self, connection: RedisConnection) -> None:
        """Check, until the connection is closed, that Redis is in the epoch of its counts.

        So a process without requests notices it, too, and Redis knows until when it was used.

        Raises:
            RedisCheckFailed: the connection is closed.
        """
        while self._restorer is not None:
            await asyncio.wait([connection.closed], timeout=self._restorer.beat_seconds)
            if not connection.is_full:  # the checks do the same
                await connection.call(self._restorer.make_beat())

    def _observe_settlement(self, settlement: Settlement, now: int) -> None:
        if self.count_observer is not None:
            charged_at = now - settlement.age if settlement.age else settlement.verdict.now
            self.count_observer.observe_settlement(settlement, charged_at, now)

    def _require_connection(self) -> RedisConnection:
        if self._connection is None:
            raise RedisCheckFailed(self._failure or "not connected to Redis")
        return self._connection

    def _forget(self, prefix: str = "") -> None:
        """Let the observer take note on the event loop: any thread may clear counts."""
        if self.count_observer is None:
            return
        if get_ident() == self._thread:
            self.count_observer.forget(prefix)
        else:
            self._loop.call_soon_threadsafe(self.count_observer.forget, prefix)

    def _on_connect(self, connection: RedisConnection) -> None:
        if self._restorer is not None:
            self._restorer.finish(connection)
        self._connection, self._failure, self._has_worked = connection, "", True
        self._logged.clear()
        self._end_first_attempt()
        self._forget()
        log_event(log, "redis.connected")
        for callback in self._on_connect_callbacks:
            callback()

    def _on_failure(self, error: BaseException, traceback: BaseException | None = None) -> None:
        failure = describe_failure(
            error,
            is_tls=self._is_tls,
            has_worked=self._has_worked,
            was_connected=self._has_worked and not self._failure,
        )
        kind = type(error).__name__
        if not self._failure:
            self._disconnects += 1
            # A Redis that refuses to count refuses new connections, too: how long is not known.
            is_refusal = isinstance(error, ResponseError) or not self._has_worked
            self._lost_at = -inf if is_refusal else asyncio.get_running_loop().time()
        if kind not in self._logged:
            self._logged.add(kind)
            level = ERROR if traceback else WARNING
            fields = {"reason": failure, **self._without_redis}
            log_event(log, "redis.disconnected", level, traceback, **fields)
        self._failure = failure

    def _end_first_attempt(self, error: Exception | None = None) -> None:
        if self._first_attempt.done():
            return
        if error is None:
            self._first_attempt.set_result(None)
        else:
            self._first_attempt.set_exception(error)


def _call_with_time(on_change: Callable[[int], None], sent: "asyncio.Future[int]") -> None:
    """Call with the time of Redis, which is the result, unless the call of the script failed.

    The connection is closed then.
    """
    if not sent.cancelled() and sent.exception() is None:
        on_change(sent.result())
