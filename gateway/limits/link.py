"""One connection to Redis and the checks in flight on it; those of one tick travel together."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError

from gateway.limits.limiter import Charge, Verdict
from gateway.limits.reply_timeout import ReplyTimeout
from gateway.limits.script import evalsha, evaluate, read
from gateway.limits.wire import Answer, Wire

MAX_WAITING = 10_000


class CountersFailed(Exception):
    """Redis gave no verdict; whether it debited is not known."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A check on its way. The last of a batch holds the time-out of all of it."""

    charges: Sequence[Charge]
    command: bytes
    verdict: "asyncio.Future[Verdict]"
    timeout: ReplyTimeout | None = None

    def fail(self, failure: Exception) -> None:
        """Send the caller on without a verdict, unless there is one or nobody waits."""
        if self.timeout is not None:
            self.timeout.cancel()
        if not self.verdict.done():
            failed = CountersFailed(str(failure))
            failed.__cause__ = failure
            self.verdict.set_exception(failed)


class Link:
    """Sends checks and hands out the answers until anything goes wrong; then it is over.

    Nothing is ever sent twice, but for a script that Redis did not know and so did not run.
    """

    def __init__(self, timeout: float, now: int = 0) -> None:
        self._timeout = timeout
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._wire = Wire(self._receive, self._flush, self._end)
        self._queued: list[Waiting] = []
        self._sent: deque[Waiting] = deque()
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
            raise CountersFailed(str(self._failure)) from self._failure
        if len(self._queued) + len(self._sent) >= MAX_WAITING:
            raise CountersFailed("too many checks are waiting")
        verdict: asyncio.Future[Verdict] = self._loop.create_future()
        self._enqueue(Waiting(charges, evalsha(charges, self._now), verdict))
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

    def _enqueue(self, waiting: Waiting) -> None:
        if not self._queued:
            self._loop.call_soon(self._flush)
        self._queued.append(waiting)

    def _flush(self) -> None:
        """Send what this tick brought; while the wire is paused, `resume` calls again."""
        if self._wire.paused:
            return
        batch = [waiting for waiting in self._queued if not waiting.verdict.done()]
        self._queued.clear()
        if batch:
            batch[-1].timeout = ReplyTimeout(self._timeout, self._expire)
            self._sent.extend(batch)
            self._wire.write(b"".join([waiting.command for waiting in batch]))

    def _receive(self, answer: Answer) -> None:
        if not self._sent:
            self._end(InvalidResponse("an answer to nothing"))
            return
        waiting = self._sent.popleft()
        if waiting.timeout is not None:
            waiting.timeout.cancel()
        if isinstance(answer, list):
            self._settle(waiting, answer)
        elif isinstance(answer, NoScriptError):
            command = evaluate(waiting.charges, self._now)
            self._enqueue(Waiting(waiting.charges, command, waiting.verdict))
        elif isinstance(answer, ResponseError) and "WRONGTYPE" in str(answer):
            waiting.fail(answer)  # of one key; every other error is one for everybody
        else:
            waiting.fail(_unusable(answer))
            self._end(_unusable(answer))

    def _settle(self, waiting: Waiting, answer: list[int]) -> None:
        if waiting.verdict.done():
            return
        try:
            verdict = read(waiting.charges, answer)
        except (TypeError, ValueError) as nonsense:
            waiting.fail(nonsense)
            self._end(InvalidResponse(f"not what the script answers: {nonsense}"))
        else:
            waiting.verdict.set_result(verdict)

    def _expire(self) -> None:
        self._end(TimeoutError("Redis took too long"))

    def _end(self, failure: Exception) -> None:
        if self._failure is None:
            self._failure = failure
            self._over.set_result(failure)
            self._wire.abort()
        for waiting in (*self._sent, *self._queued):
            waiting.fail(self._failure)
        self._sent.clear()
        self._queued.clear()


def _unusable(answer: Answer) -> Exception:
    return answer if isinstance(answer, Exception) else InvalidResponse("not an answer to this")
