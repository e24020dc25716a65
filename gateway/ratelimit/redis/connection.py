"""`RedisConnection`: one connection to Redis and the checks in flight on it, pipelined."""

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import Enum
from typing import Any, NoReturn

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, NoScriptError

from gateway.ratelimit.limiter import Charge, RedisCheckFailed, Verdict
from gateway.ratelimit.redis.protocol import RedisProtocol, RedisReply
from gateway.ratelimit.redis.replaced_keys import ReplacedKeys
from gateway.ratelimit.redis.reply_timeout import ReplyTimeout
from gateway.ratelimit.redis.script import pack_eval, pack_evalsha, parse_reply
from gateway.ratelimit.redis.script_call import RedisScript, ScriptCall

MAX_PENDING_CHECKS = 10_000

# The charges or another call, the packed command, and the future that the caller awaits.
Request = Sequence[Charge] | ScriptCall
Check = tuple[Request, bytes, "asyncio.Future[Any]"]


class RedisConnectionState(Enum):
    """The states of a connection, in the only order in which they follow each other."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"


class RedisConnection:
    """Sends checks and completes them with the verdicts of Redis, until the first failure.

    The checks of one turn of the event loop are sent in one write, with one timeout of `timeout`
    seconds. Each key begins with `prefix`. Checks fail in another `epoch` of Redis than this one;
    b"" is any. `now`, in microseconds, replaces the clock of the server; for tests.
    """

    # Invariants:
    # - A check without a reply is in `_queued` (not written yet) or in `_in_flight` (written),
    #   never in both. Redis replies in the order of the commands, so that the next reply belongs
    #   to the first check in flight.
    # - A cancelled caller does not remove its check from `_in_flight`: the reply still arrives, and
    #   is dropped. A check that is cancelled in `_queued` is not sent.
    # - `_timeouts` has one entry per write whose last reply is outstanding, the oldest first, each
    #   with the future of the last check in that write. It is empty only if `_in_flight` is.
    # - No check is written twice, because a charge may have happened. The exception is NOSCRIPT:
    #   Redis did not have the script and so did not run it.
    # - `_failure` is set once, by the first failure. From then on the connection is closed: all
    #   three collections are empty, every check has failed, and new ones are refused.

    def __init__(
        self, timeout: float, now: int = 0, prefix: bytes = b"", epoch: bytes = b""
    ) -> None:
        self._timeout = timeout
        self._now = now
        self._prefix = prefix
        self._epoch = epoch
        self._replaced_keys = ReplacedKeys(prefix)
        self._sent_scripts: set[RedisScript] = set()
        self._loop = asyncio.get_running_loop()
        self._protocol = RedisProtocol(self._on_reply, self._flush, self._close)
        self._is_open = False
        self._queued: list[Check] = []
        self._in_flight: deque[Check] = deque()
        self._timeouts: deque[tuple[asyncio.Future[Any], ReplyTimeout]] = deque()
        self._failure: Exception | None = None
        self.closed: asyncio.Future[Exception] = self._loop.create_future()

    def __repr__(self) -> str:
        counts = f"{len(self._queued)} queued, {len(self._in_flight)} in flight"
        failure = f", {self._failure!r}" if self._failure is not None else ""
        return f"<RedisConnection {self.state.value}, {counts}{failure}>"

    @property
    def state(self) -> RedisConnectionState:
        """The state of the connection; derived, so that no check pays for keeping it."""
        if self._failure is not None:
            return RedisConnectionState.CLOSED
        if self._is_open:
            return RedisConnectionState.CONNECTED
        return RedisConnectionState.CONNECTING

    @property
    def is_full(self) -> bool:
        """Whether no further check is taken until some have their verdicts."""
        return len(self._queued) + len(self._in_flight) >= MAX_PENDING_CHECKS

    async def open(self, connection: AbstractConnection) -> None:
        """Take over a connection that redis-py has set up, for checks alone.

        Raises:
            ConnectionError: it is closed, or has unexpected data.
        """
        await self._protocol.take_over(connection)
        self._is_open = True

    def check(self, charges: Sequence[Charge]) -> "asyncio.Future[Verdict]":
        """Return a future with the verdict of Redis, or with `RedisCheckFailed`.

        Raises:
            RedisCheckFailed: the connection is closed, or too many checks are pending.
        """
        self._require_place()
        command = pack_evalsha(charges, self._now, self._prefix, self._epoch)
        future: asyncio.Future[Verdict] = self._loop.create_future()
        self._enqueue((charges, command, future))
        return future

    def call(self, call: ScriptCall) -> "asyncio.Future[int]":
        """Return a future with the reply to another call, or with `RedisCheckFailed`.

        Redis runs it before the checks that follow.

        Raises:
            RedisCheckFailed: the connection is closed, or too many checks are pending.
        """
        self._require_place()
        future: asyncio.Future[int] = self._loop.create_future()
        # The first call carries the script: sent again after a NOSCRIPT, it would come too late.
        is_first = call.script not in self._sent_scripts
        self._sent_scripts.add(call.script)
        command = call.pack(self._now, self._prefix, with_text=is_first)
        self._enqueue((call, command, future))
        return future

    async def wait_closed(self) -> NoReturn:
        """Wait until the connection is closed, and raise the reason.

        Raises:
            RedisError: the connection broke, or Redis refused to work.
            TimeoutError: Redis did not reply in time.
        """
        raise await asyncio.shield(self.closed)

    def close(self) -> None:
        """Close the connection, and fail the checks that are pending."""
        self._close(ConnectionAbortedError("the connection to Redis ended"))

    def _require_place(self) -> None:
        if self._failure is not None:
            raise RedisCheckFailed(str(self._failure)) from self._failure
        if self.is_full:
            raise RedisCheckFailed(f"{MAX_PENDING_CHECKS} checks are pending already")

    def _enqueue(self, check: Check) -> None:
        if not self._queued:
            self._loop.call_soon(self._flush)
        self._queued.append(check)

    def _flush(self) -> None:
        """Write the queued checks. While the protocol is paused, its `on_writable` calls again."""
        if self._protocol.is_paused:
            return
        batch = [check for check in self._queued if not check[2].done()]
        self._queued.clear()
        if batch:
            self._timeouts.append((batch[-1][2], ReplyTimeout(self._timeout, self._on_timeout)))
            self._in_flight.extend(batch)
            self._protocol.write(b"".join([command for _, command, _ in batch]))

    def _on_reply(self, reply: RedisReply) -> None:
        # The cases: no check is in flight (close) | an array (the verdict) |
        # NOSCRIPT (send again, with the script) | any other error, or anything unexpected (close).
        if not self._in_flight:
            self._close(InvalidResponse("unexpected data on an idle connection"))
            return
        request, _, future = self._in_flight.popleft()
        if future is self._timeouts[0][0]:
            self._timeouts.popleft()[1].cancel()
        if not isinstance(reply, list):
            self._on_error_reply(request, future, reply)
            return
        try:
            if reply and isinstance(reply[0], list):
                reply[0] = self._replaced_keys.log(reply[0], _list_keys(request))
            if future.done():
                return
            if isinstance(request, ScriptCall):
                future.set_result(request.parse_reply(reply))
            else:
                future.set_result(parse_reply(request, reply))
        except (TypeError, ValueError, IndexError) as error:
            self._on_error_reply(request, future, InvalidResponse(str(error)))

    def _on_error_reply(
        self, request: Request, future: "asyncio.Future[Any]", reply: object
    ) -> None:
        if isinstance(reply, NoScriptError):
            self._enqueue((request, self._pack_with_text(request), future))
            return
        if isinstance(reply, Exception):
            failure = reply
        else:
            failure = InvalidResponse(f"expected an array, got {reply!r:.40}")
        _fail(future, failure)
        self._close(failure)

    def _pack_with_text(self, request: Request) -> bytes:
        if isinstance(request, ScriptCall):
            return request.pack(self._now, self._prefix, with_text=True)
        return pack_eval(request, self._now, self._prefix, self._epoch)

    def _on_timeout(self) -> None:
        self._close(TimeoutError(f"no reply from Redis within {self._timeout * 1_000:g} ms"))

    def _close(self, failure: Exception) -> None:
        if self._failure is None:
            self._failure = failure
            self.closed.set_result(failure)
            self._protocol.abort()
        for _, timeout in self._timeouts:
            timeout.cancel()
        for _, _, future in (*self._in_flight, *self._queued):
            _fail(future, self._failure)
        self._timeouts.clear()
        self._in_flight.clear()
        self._queued.clear()


def _list_keys(request: Request) -> Sequence[str]:
    if isinstance(request, ScriptCall):
        return request.keys
    return [charge.key for charge in request]


def _fail(future: "asyncio.Future[Any]", failure: Exception) -> None:
    """Fail a check, unless it has its verdict or has been cancelled."""
    if not future.done():
        error = RedisCheckFailed(str(failure))
        error.__cause__ = failure
        future.set_exception(error)
