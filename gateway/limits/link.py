"""One connection to Redis and the checks in flight on it; those of one tick travel together."""

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError

from gateway.limits.limiter import Charge, Verdict
from gateway.limits.reply_timeout import ReplyTimeout
from gateway.limits.script import evalsha, evaluate, read

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

    def fail(self, reason: str) -> None:
        """Send the caller on without a verdict, unless there is one or nobody waits."""
        if self.timeout is not None:
            self.timeout.cancel()
        if not self.verdict.done():
            self.verdict.set_exception(CountersFailed(reason))


class Link:
    """Sends checks and hands out the answers until anything goes wrong; then it is over.

    Nothing is ever sent twice, but for a script that Redis did not know and so did not run.
    """

    def __init__(self, connection: AbstractConnection, timeout: float, now: int = 0) -> None:
        self._connection = connection
        self._timeout = timeout
        self._now = now
        self._queued: list[Waiting] = []
        self._sent: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._over: str | None = None
        self._scope = asyncio.timeout(None)

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """The verdict of Redis.

        Raises:
            CountersFailed: it did not come, or not in time.
        """
        if self._over is not None:
            raise CountersFailed(self._over)
        if len(self._queued) + len(self._sent) >= MAX_WAITING:
            raise CountersFailed("too many checks are waiting")
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._enqueue(Waiting(charges, evalsha(charges, self._now), verdict))
        return await verdict

    async def run(self) -> None:
        """Carry checks until the connection fails.

        Raises:
            RedisError, OSError: it broke, or Redis refuses to work (alone or in a group).
            TimeoutError: Redis took too long.
        """
        try:
            async with self._scope, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send())
                tasks.create_task(self._receive())
        except TimeoutError as late:
            raise TimeoutError(self._over) from late
        finally:
            self._end("the connection to Redis ended")

    def _enqueue(self, waiting: Waiting) -> None:
        self._queued.append(waiting)
        self._wake.set()

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch = [waiting for waiting in self._queued if not waiting.verdict.done()]
            self._queued.clear()
            if batch:
                batch[-1].timeout = ReplyTimeout(self._timeout, self._expire)
                self._sent.extend(batch)
                await self._connection.send_packed_command(
                    [b"".join(waiting.command for waiting in batch)], check_health=False
                )

    async def _receive(self) -> None:
        while True:
            answer = await self._answer()
            if not self._sent:
                raise InvalidResponse("an answer to nothing")
            waiting = self._sent.popleft()
            if waiting.timeout is not None:
                waiting.timeout.cancel()
            if waiting.verdict.done():
                continue
            if isinstance(answer, list):
                waiting.verdict.set_result(read(waiting.charges, answer))
            elif isinstance(answer, NoScriptError):
                command = evaluate(waiting.charges, self._now)
                self._enqueue(Waiting(waiting.charges, command, waiting.verdict))
            else:
                waiting.fail(str(answer))

    async def _answer(self) -> "list[int] | ResponseError":
        """The next answer; an error that concerns one key is one, all others are raised."""
        try:
            answer: list[int] = await self._connection.read_response(timeout=math.inf)
        except ResponseError as error:
            if isinstance(error, NoScriptError) or "WRONGTYPE" in str(error):
                return error
            raise
        return answer

    def _expire(self) -> None:
        self._end("Redis took too long")
        self._scope.reschedule(asyncio.get_running_loop().time())

    def _end(self, reason: str) -> None:
        if self._over is None:
            self._over = reason
        for waiting in (*self._sent, *self._queued):
            waiting.fail(self._over)
        self._sent.clear()
        self._queued.clear()
