"""One connection to Redis and the checks in flight on it; those of one tick travel together."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NoReturn

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, NoScriptError

from gateway.ratelimit.limiter import Charge, Verdict
from gateway.ratelimit.redis.protocol import RedisProtocol, RedisReply
from gateway.ratelimit.redis.reply_timeout import ReplyTimeout
from gateway.ratelimit.redis.script import evalsha, evaluate, read

MAX_WAITING = 10_000

Check = tuple[Sequence[Charge], bytes, "asyncio.Future[Verdict]"]  # with the command it is sent as


class RedisCheckFailed(Exception):
    """Redis gave no verdict; whether it debited is not known."""


class RedisConnection:
    """Sends checks and hands out the answers until anything goes wrong; then it is over.

    Nothing is ever sent twice, but for a script that Redis did not know and so did not run.
    """

    def __init__(self, timeout: float, now: int = 0) -> None:
        self._timeout = timeout
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._wire = RedisProtocol(self._receive, self._flush, self._end)
        self._queued: list[Check] = []
        self._sent: deque[Check] = deque()
        # The one time-out of each batch, with the verdict that ends it: its last one.
        self._timeouts: deque[tuple[asyncio.Future[Verdict], ReplyTimeout]] = deque()
        self._failure: Exception | None = None
        self._over: asyncio.Future[Exception] = self._loop.create_future()

    async def open(self, connection: AbstractConnection) -> None:
        """Take the connection, which is ready for commands, for the checks alone.

        Raises:
            ConnectionError: it has ended, or speaks without being asked.
        """
        await self._wire.take_over(connection)

    def check(self, charges: Sequence[Charge]) -> "asyncio.Future[Verdict]":
        """The verdict of Redis, to be awaited; it fails with CountersFailed if it is late.

        Raises:
            CountersFailed: the link is over, or too many wait already.
        """
        if self._failure is not None:
            raise RedisCheckFailed(str(self._failure)) from self._failure
        if len(self._queued) + len(self._sent) >= MAX_WAITING:
            raise RedisCheckFailed("too many checks are waiting")
        verdict: asyncio.Future[Verdict] = self._loop.create_future()
        self._enqueue((charges, evalsha(charges, self._now), verdict))
        return verdict

    async def over(self) -> NoReturn:
        """Wait until the link is over.

        Raises:
            RedisError: the connection broke, or Redis refuses to work.
            TimeoutError: Redis took too long.
        """
        raise await asyncio.shield(self._over)

    def close(self) -> None:
        """End the link: nobody is left waiting."""
        self._end(ConnectionAbortedError("the connection to Redis ended"))

    def _enqueue(self, check: Check) -> None:
        if not self._queued:
            self._loop.call_soon(self._flush)
        self._queued.append(check)

    def _flush(self) -> None:
        """Send what this tick brought; while the wire is paused, `resume` calls again."""
        if self._wire.paused:
            return
        batch = [check for check in self._queued if not check[2].done()]
        self._queued.clear()
        if batch:
            self._timeouts.append((batch[-1][2], ReplyTimeout(self._timeout, self._expire)))
            self._sent.extend(batch)
            self._wire.write(b"".join([command for _, command, _ in batch]))

    def _receive(self, answer: RedisReply) -> None:
        if not self._sent:
            self._end(InvalidResponse("an answer to nothing"))
            return
        charges, _, verdict = self._sent.popleft()
        if verdict is self._timeouts[0][0]:
            self._timeouts.popleft()[1].cancel()
        if not isinstance(answer, list):
            self._fail(charges, verdict, answer)
        elif not verdict.done():
            try:
                verdict.set_result(read(charges, answer))
            except (TypeError, ValueError) as nonsense:
                self._fail(charges, verdict, InvalidResponse(str(nonsense)))

    def _fail(
        self, charges: Sequence[Charge], verdict: "asyncio.Future[Verdict]", answer: object
    ) -> None:
        """Take an answer that is no verdict: of one check alone, or of the whole link."""
        if isinstance(answer, NoScriptError):
            self._enqueue((charges, evaluate(charges, self._now), verdict))
            return
        nonsense = InvalidResponse("neither numbers nor an error")
        failure = answer if isinstance(answer, Exception) else nonsense
        _send_on(verdict, failure)
        if "WRONGTYPE" not in str(failure):  # which concerns one key
            self._end(failure)

    def _expire(self) -> None:
        self._end(TimeoutError("Redis took too long"))

    def _end(self, failure: Exception) -> None:
        if self._failure is None:
            self._failure = failure
            self._over.set_result(failure)
            self._wire.abort()
        for _, timeout in self._timeouts:
            timeout.cancel()
        for _, _, verdict in (*self._sent, *self._queued):
            _send_on(verdict, self._failure)
        self._timeouts.clear()
        self._sent.clear()
        self._queued.clear()


def _send_on(verdict: "asyncio.Future[Verdict]", failure: Exception) -> None:
    """Let the caller go on without a verdict, unless there is one or nobody waits."""
    if not verdict.done():
        failed = RedisCheckFailed(str(failure))
        failed.__cause__ = failure
        verdict.set_exception(failed)
