"""Deadlines: set once for a block of code and applied to every call inside it.

This is the end that calls share. The transport turns the time that is left to each call into a
timer (`gateway/transport/deadline_timer.py`).
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import TracebackType

LoopClock = Callable[[], float]

# The end and its clock. Storing the clock saves a lookup of the running loop (a system call).
_end: ContextVar[tuple[float, LoopClock] | None] = ContextVar("deadline", default=None)


def deadline(seconds: float, clock: LoopClock | None = None) -> AbstractContextManager[None]:
    """Set a deadline for the block, `seconds` from now; an earlier deadline stays in force.

    Tasks started inside the block inherit the deadline. `clock` defaults to the clock of the
    running loop.
    """
    return _Deadline(seconds, clock or asyncio.get_running_loop().time)


def remaining() -> float | None:
    """Return the seconds left, never below zero, or None if no deadline is set."""
    end = _end.get()
    if end is None:
        return None
    at, clock = end
    left = at - clock()
    return left if left > 0 else 0.0


class _Deadline(AbstractContextManager[None]):
    # Entered for the parts of every composite: a generator would cost more than the rest.
    __slots__ = ("_clock", "_seconds", "_token")

    def __init__(self, seconds: float, clock: LoopClock) -> None:
        self._seconds = seconds
        self._clock = clock

    def __enter__(self) -> None:
        at, outer = self._clock() + self._seconds, _end.get()
        self._token: Token[tuple[float, LoopClock] | None] = _end.set(
            (at, self._clock) if outer is None or at < outer[0] else outer
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _end.reset(self._token)
