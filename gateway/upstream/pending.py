"""A call of a typed client, on its way to be made."""

import warnings
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from gateway.transport.connection import Connection
from gateway.transport.raw_response import Outcome, RawResponse
from gateway.upstream.call import Call
from gateway.upstream.call_executor import FAILURES, CallExecutor

T_co = TypeVar("T_co", covariant=True)


class PendingCall(Coroutine[Any, Any, T_co]):
    """A call that is made by `await`, or as a task, as any coroutine is.

    Who waits for several at once can do without a task for each: `begin` them, and read the
    `result` of each when it has landed; or `abandon` it.
    """

    __slots__ = (
        "_call", "_caller", "_connection", "_into", "_is_begun", "_is_used", "_landed", "_making",
        "_outcome", "_seconds", "ends_at", "must_be_awaited",
    )  # fmt: skip

    def __init__(self, caller: CallExecutor, call: Call, into: type[T_co]) -> None:
        self._caller = caller
        self._call = call
        self._into = into
        self._is_used = self._is_begun = self.must_be_awaited = False
        self._connection: Connection | None = None
        self._outcome: Outcome | None = None
        self._making: Coroutine[Any, Any, T_co] | None = None

    def __del__(self) -> None:
        """Tell of one that nobody wanted, as Python does of a coroutine."""
        if not self._is_used:
            told = f"the call {self._call.operation} was never awaited"
            warnings.warn(told, RuntimeWarning, stacklevel=2, source=self)

    def begin(
        self, now: float, seconds: float, landed: Callable[["PendingCall[Any]"], None]
    ) -> bool:
        """Send the request, if that needs no wait; `landed` is told when there is a result.

        That is within so many seconds from `now` on the loop's clock, and before `ends_at`. False
        says that nothing was sent, and the call is to be awaited. So it is if it `must_be_awaited`
        when it has landed: the connection turned out to be closed, and a fresh one is needed to
        send the request again.

        Raises:
            ValueError: the call cannot be written as a request.
            RuntimeError: it has been made already.
        """
        if self._is_begun or self._making is not None:
            raise RuntimeError(f"the call {self._call.operation} has been made already")
        self._is_used = True
        caller, call = self._caller, self._call
        self._seconds = seconds = caller.seconds(call, seconds)
        self.ends_at = ends_at = now + seconds
        if seconds:
            self._landed = landed
            self._connection = caller.channel.begin(call, ends_at, self._land)
            self._is_begun = self._connection is not None
        return self._is_begun

    def _land(self, outcome: Outcome, may_ask_again: bool) -> None:
        landed = self._landed
        # Not kept: it may hold who holds this, and what refers to itself stays for the collector.
        del self._landed
        self._connection, self._outcome = None, outcome
        self.must_be_awaited = may_ask_again
        landed(self)

    @property
    def size(self) -> int:
        """Bytes of the answer that has landed."""
        return len(self._outcome.body) if isinstance(self._outcome, RawResponse) else 0

    def result(self) -> T_co:
        """What the answer that has landed says.

        Raises:
            UpstreamError: what went wrong.
            RuntimeError: it has not landed.
        """
        outcome = self._outcome
        if outcome is None:
            raise RuntimeError(f"the call {self._call.operation} has not landed")
        if not isinstance(outcome, RawResponse):
            # Not raised itself: its trace would hold this, and this holds it.
            raise self._caller.failure(self._call, outcome, self._seconds) from outcome
        try:
            return self._caller.value(self._call, outcome, self._into)
        except FAILURES as exc:
            raise self._caller.failure(self._call, exc, self._seconds) from exc

    def abandon(self) -> None:
        """Let go of what has begun and not landed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            del self._landed
            connection.abandon(self._land)

    # What follows is a coroutine's.

    def __await__(self) -> Generator[Any, Any, T_co]:
        """Make the call."""
        return self._coroutine().__await__()

    def send(self, value: Any) -> Any:  # noqa: ANN401
        """Go on with the call."""
        return self._coroutine().send(value)

    def throw(self, *error: Any) -> Any:  # noqa: ANN401
        """Let the call end with an error."""
        return self._coroutine().throw(*error)

    def close(self) -> None:
        """Make the call no further, or not at all."""
        self.abandon()
        if self.must_be_awaited or not self._is_begun:
            self._coroutine().close()

    def _coroutine(self) -> Coroutine[Any, Any, T_co]:
        self._is_used = True
        if self._is_begun and not self.must_be_awaited:
            raise RuntimeError(f"the call {self._call.operation} has been made already")
        if self._making is None:
            self._making = self._caller.make(self._call, self._into, fresh=self.must_be_awaited)
        return self._making
