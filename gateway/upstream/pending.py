"""Pending calls: the awaitable calls that the methods of a typed client return."""

import asyncio
import warnings
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeVar

from gateway.transport.raw_response import RawResponse
from gateway.upstream.call import Call
from gateway.upstream.call_executor import CallExecutor, InFlight
from gateway.upstream.error_mapping import CALL_FAILURES
from gateway.upstream.errors import UpstreamRefused
from gateway.upstream.problem import UpstreamProblem

RefusalHandling = type[UpstreamProblem] | None
"""The handling of a refusal: the call raises this problem, or its result is None."""

RefusalHandlings = Mapping[int, RefusalHandling]
"""The handlings of refusals by their status; any other refusal is raised as it is."""

T_co = TypeVar("T_co", covariant=True)


class CallState(Enum):
    """The state of a call; it only changes to one further down this list."""

    NEW = "new"
    IN_FLIGHT = "in flight"
    COMPLETE = "complete"
    AWAITED = "awaited"
    ABANDONED = "abandoned"


# Module globals: reading a member from its class is slower on the hot path.
_NEW, _IN_FLIGHT, _COMPLETE, _AWAITED, _ABANDONED = CallState


class PendingCall(Coroutine[Any, Any, T_co]):
    """A call that is made once, by `await` or by a task, like any coroutine.

    A part of a composite can return the call instead of awaiting it, and needs no task then.
    """

    # A call is made in one of two ways. NEW -> AWAITED: `await` makes it. NEW -> IN_FLIGHT ->
    # COMPLETE: `begin` sends it, a callback reports its outcome (a response or an error), and
    # `result` decodes the response or raises the error. The second way needs no task for each call
    # in flight. `abandon` ends a call in flight.
    #
    # Invariant: `_in_flight` and `_on_complete` are set only while the call is IN_FLIGHT.

    __slots__ = (
        "_call", "_coroutine", "_executor", "_in_flight", "_into", "_on_complete", "_outcome",
        "_seconds", "_state", "ends_at",
    )  # fmt: skip

    _handlings: RefusalHandlings = MappingProxyType({})

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
        """Show the operation and the state."""
        return f"<PendingCall {self._call.operation} {self._state.value}>"

    def __del__(self) -> None:
        """Warn about a call that was never made, as Python does for a coroutine."""
        if self._state is _NEW:
            message = f"the call {self._call.operation} was never awaited"
            warnings.warn(message, RuntimeWarning, stacklevel=2, source=self)

    def begin(
        self, now: float, seconds: float, on_complete: Callable[["PendingCall[Any]"], None]
    ) -> None:
        """Begin the call; `on_complete` is called once, later, when it is COMPLETE.

        It is COMPLETE by `ends_at`: `now`, a time of the event loop's clock, plus `seconds` or the
        timeout of the call, whichever is shorter.

        Raises:
            UpstreamTimeout: no time is left.
            ValueError: the call cannot be serialized.
            RuntimeError: the call has been made already.
        """
        if self._state is not _NEW:
            raise self._made_already()
        self._state = _ABANDONED  # until the executor has begun it
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
            return  # abandoned; its task has nevertheless ended with an outcome
        if is_stale:
            # The server had closed the keep-alive connection: retry over a new one.
            self._in_flight = self._executor.begin_in_task(
                self._call, self.ends_at, self._complete, force_new=True
            )
            return
        # Cleared to break a cycle: `on_complete` may refer to an object that refers to this call.
        self._in_flight = self._on_complete = None
        self._outcome = outcome
        del outcome  # its traceback may refer to this frame: this breaks the cycle
        self._state = _COMPLETE
        on_complete(self)

    @property
    def size(self) -> int:
        """The size of the body in bytes; 0 unless the call is complete with a response."""
        return len(self._outcome.body) if isinstance(self._outcome, RawResponse) else 0

    def result(self) -> T_co:
        """Decode the response of a complete call.

        Raises:
            UpstreamError: the call failed.
            RuntimeError: the call is not complete.
        """
        outcome = self._outcome
        if outcome is None:
            raise RuntimeError(f"the call {self._call.operation} is {self._state.value}")
        if isinstance(outcome, RawResponse):
            try:
                return self._executor.decode_response(self._call, outcome, self._into)
            except CALL_FAILURES as exc:
                raise self._executor.map_error(self._call, exc, self._seconds) from exc
        # Cleared to break a cycle: the traceback of the error will refer to this call.
        self._outcome = None
        try:
            if isinstance(outcome, CALL_FAILURES):
                raise self._executor.map_error(self._call, outcome, self._seconds) from outcome
            raise outcome
        finally:
            del outcome

    def abandon(self) -> asyncio.Task[None] | None:
        """End a call that is in flight.

        Returns the task that makes the call, if there is one; the task is being cancelled.
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

    def or_none(self, *statuses: int) -> "PendingCall[T_co | None]":
        """Return the same call, whose result is None if the service responds with a status.

        For example, `or_none(404)` for a resource that may not exist. Statuses are from 300 to
        499, except 429.

        Raises:
            ValueError: a status is not one of these, or is handled already.
        """
        return self._add_handlings([(status, None) for status in statuses])

    def or_raise(self, *problems: type[UpstreamProblem]) -> "PendingCall[T_co]":
        """Return the same call, which raises one of `problems` if the service has its status.

        Raises:
            ValueError: a status is handled already.
        """
        return self._add_handlings([(problem.declaration.status, problem) for problem in problems])

    def _add_handlings(self, pairs: Sequence[tuple[int, RefusalHandling]]) -> "PendingCall[Any]":
        """Return the call that is made in the place of this one."""
        if self._state is not _NEW:
            raise self._made_already()
        self._state = _ABANDONED
        handlings = dict(self._handlings)
        for status, handling in pairs:
            if not 300 <= status <= 499 or status == 429:
                raise ValueError(
                    f"{self._call.operation}: status {status} is not a refusal; declare a status "
                    "from 300 to 499, but not 429"
                )
            if status in handlings:
                raise ValueError(f"{self._call.operation}: status {status} is declared twice")
            handlings[status] = handling
        return _CallWithHandlings(self._executor, self._call, self._into, handlings)

    # The methods of a coroutine.

    def __await__(self) -> Generator[Any, Any, T_co]:
        """Make the call."""
        return self._make().__await__()

    def send(self, value: Any) -> Any:  # noqa: ANN401
        """Resume the call; the first `send` makes it."""
        return self._make().send(value)

    def throw(self, *error: Any) -> Any:  # noqa: ANN401
        """Raise an error inside the call."""
        return self._make().throw(*error)

    def close(self) -> None:
        """End the call; a NEW call is not made."""
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
            self._coroutine = self._create_coroutine()
        return self._coroutine

    def _create_coroutine(self) -> Coroutine[Any, Any, T_co]:
        return self._executor.execute(self._call, self._into)

    def _made_already(self) -> RuntimeError:
        return RuntimeError(f"the call {self._call.operation} has been made already")


class _CallWithHandlings(PendingCall[T_co]):
    """A call that handles the refusals with some statuses.

    A class of its own, so that the other calls need not look for handlings.
    """

    __slots__ = ("_handlings",)

    def __init__(
        self, executor: CallExecutor, call: Call, into: type[Any], handlings: RefusalHandlings
    ) -> None:
        super().__init__(executor, call, into)
        self._handlings = handlings

    def result(self) -> T_co:
        try:
            return super().result()
        except UpstreamRefused as refusal:
            _raise_problem(refusal, self._handlings)
            if not _is_none(refusal, self._handlings):
                raise
            return None  # type: ignore[return-value]  # `or_none` has added None to the type

    def _create_coroutine(self) -> Coroutine[Any, Any, T_co]:
        return _execute(self._executor, self._call, self._into, self._handlings)


async def _execute(
    executor: CallExecutor, call: Call, into: type[T_co], handlings: RefusalHandlings
) -> T_co:
    """Make a call. This is not a method: the coroutine and the pending call would form a cycle."""
    try:
        return await executor.execute(call, into)
    except UpstreamRefused as refusal:
        _raise_problem(refusal, handlings)
        if not _is_none(refusal, handlings):
            raise
        return None  # type: ignore[return-value]  # `or_none` has added None to the type


def _raise_problem(refusal: UpstreamRefused, handlings: RefusalHandlings) -> None:
    """Raise the problem that is declared for the status of the refusal, if there is one.

    The refusal itself is not raised here: its traceback would refer to this frame, and the frame
    to the refusal.
    """
    problem = handlings.get(refusal.status or 0)
    if problem is not None:
        raise problem(refusal) from refusal


def _is_none(refusal: UpstreamRefused, handlings: RefusalHandlings) -> bool:
    """Whether the result of the call is None in place of the refusal."""
    return handlings.get(refusal.status or 0, UpstreamProblem) is None
