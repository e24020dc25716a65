"""A call of a typed client that has not been made yet."""

import asyncio
import warnings
from collections.abc import Callable, Coroutine, Generator
from enum import Enum
from typing import Any, TypeVar

from gateway.transport.raw_response import RawResponse
from gateway.upstream.call import Call
from gateway.upstream.call_executor import CallExecutor, InFlight
from gateway.upstream.error_mapping import CALL_FAILURES

T_co = TypeVar("T_co", covariant=True)


class CallState(Enum):
    """How far a call has come; a call goes down this list and never up."""

    NEW = "new"
    IN_FLIGHT = "in flight"
    COMPLETE = "complete"
    AWAITED = "awaited"
    ABANDONED = "abandoned"


# Reading a member off its class costs more on the hot path.
_NEW, _IN_FLIGHT, _COMPLETE, _AWAITED, _ABANDONED = CallState


class PendingCall(Coroutine[Any, Any, T_co]):
    """A call that is made by `await`, or as a task, as any coroutine is.

    A call is made once, in one of two ways. NEW -> AWAITED: `await` makes it. NEW -> IN_FLIGHT ->
    COMPLETE: `begin` sends it, a callback says that it has an outcome, and `result` decodes that;
    several calls can so be in flight without a task for each. `abandon` ends one in flight.

    Invariant: `_in_flight` and `_on_complete` are set while the call is IN_FLIGHT, and only then.
    """

    __slots__ = (
        "_call", "_coroutine", "_executor", "_in_flight", "_into", "_on_complete", "_outcome",
        "_seconds", "_state", "ends_at",
    )  # fmt: skip

    def __init__(self, executor: CallExecutor, call: Call, into: type[T_co]) -> None:
        self._executor = executor
        self._call = call
        self._into = into
        self._state = _NEW
        self._in_flight: InFlight | None = None
        self._on_complete: Callable[[PendingCall[Any]], None] | None = None
        self._outcome: RawResponse | Exception | None = None
        self._coroutine: Coroutine[Any, Any, T_co] | None = None

    def __repr__(self) -> str:
        """The operation and the state."""
        return f"<PendingCall {self._call.operation} {self._state.value}>"

    def __del__(self) -> None:
        """Warn of a call that nobody made, as Python does of a coroutine."""
        if self._state is _NEW:
            message = f"the call {self._call.operation} was never awaited"
            warnings.warn(message, RuntimeWarning, stacklevel=2, source=self)

    def begin(
        self, now: float, seconds: float, on_complete: Callable[["PendingCall[Any]"], None]
    ) -> None:
        """Begin the call; `on_complete` is called once, later, when it is COMPLETE.

        That is at most `seconds` after `now`, a time of the event loop's clock, and never later
        than the time-out of the call allows: at `ends_at`.

        Raises:
            UpstreamTimeout: no time is left.
            ValueError: the call cannot be serialized.
            RuntimeError: the call has been made already.
        """
        if self._state is not _NEW:
            raise self._made_already()
        self._state = _ABANDONED  # unless it begins
        executor, call = self._executor, self._call
        self._seconds = seconds = executor.limit_seconds(call, seconds)
        if seconds <= 0.0:
            raise executor.no_time_left(call)
        self.ends_at = ends_at = now + seconds
        self._in_flight = executor.begin(call, ends_at, self._complete)
        self._on_complete = on_complete
        self._state = _IN_FLIGHT

    def _complete(self, outcome: RawResponse | Exception, is_stale: bool) -> None:
        on_complete = self._on_complete
        if on_complete is None:
            return  # abandoned, but its task has ended with an outcome all the same
        if is_stale:
            # The server had closed the kept connection: once more, over a new one.
            self._in_flight = self._executor.begin_in_task(
                self._call, self.ends_at, self._complete, force_new=True
            )
            return
        # Not kept: it may hold an object that holds this call.
        self._in_flight = self._on_complete = None
        self._outcome = outcome
        del outcome  # a traceback of it would hold this frame: a cycle, if the frame held it
        self._state = _COMPLETE
        on_complete(self)

    @property
    def size(self) -> int:
        """Bytes of the body of a complete call."""
        return len(self._outcome.body) if isinstance(self._outcome, RawResponse) else 0

    def result(self) -> T_co:
        """Decode the response of a complete call.

        Raises:
            UpstreamError: the call failed.
            RuntimeError: it is not complete.
        """
        outcome = self._outcome
        if outcome is None:
            raise RuntimeError(f"the call {self._call.operation} is {self._state.value}")
        if isinstance(outcome, RawResponse):
            try:
                return self._executor.decode_response(self._call, outcome, self._into)
            except CALL_FAILURES as exc:
                raise self._executor.map_error(self._call, exc, self._seconds) from exc
        # No longer held here: its traceback will hold this call.
        self._outcome = None
        try:
            if isinstance(outcome, CALL_FAILURES):
                raise self._executor.map_error(self._call, outcome, self._seconds) from outcome
            raise outcome
        finally:
            del outcome

    def abandon(self) -> asyncio.Task[None] | None:
        """End a call that is in flight.

        Returns the task that makes the call, if there is one: it is being cancelled.
        """
        in_flight, self._in_flight = self._in_flight, None
        if in_flight is None:
            return None
        self._state, self._on_complete = _ABANDONED, None
        if isinstance(in_flight, asyncio.Task):
            in_flight.cancel()
            return in_flight
        in_flight.abandon(self._complete)
        return None

    # The methods of a coroutine.

    def __await__(self) -> Generator[Any, Any, T_co]:
        """Make the call."""
        return self._make().__await__()

    def send(self, value: Any) -> Any:  # noqa: ANN401
        """Go on with the call."""
        return self._make().send(value)

    def throw(self, *error: Any) -> Any:  # noqa: ANN401
        """Let the call end with an error."""
        return self._make().throw(*error)

    def close(self) -> None:
        """End the call, or do not make it at all."""
        self.abandon()
        if self._coroutine is not None:
            self._coroutine.close()
        if self._state is _NEW:
            self._state = _ABANDONED

    def _make(self) -> Coroutine[Any, Any, T_co]:
        if self._coroutine is None:
            if self._state is not _NEW:
                raise self._made_already()
            self._state = _AWAITED
            self._coroutine = self._executor.execute(self._call, self._into)
        return self._coroutine

    def _made_already(self) -> RuntimeError:
        return RuntimeError(f"the call {self._call.operation} has been made already")
