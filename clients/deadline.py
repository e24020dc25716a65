"""How much time is left: set once for a piece of work, read by every call under it."""

import asyncio
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import TracebackType

_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


def deadline(seconds: float) -> AbstractContextManager[None]:
    """Give everything inside so many seconds from now; an earlier deadline outside stays in force.

    Tasks started inside inherit it. Measured on the running loop's clock.
    """
    return _Deadline(seconds)


def remaining() -> float | None:
    """Seconds left, never below zero; None where no deadline is set."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return None
    return max(0.0, ends_at - asyncio.get_running_loop().time())


class _Deadline(AbstractContextManager[None]):
    # Entered once a part of an answer: a generator would cost more than what is done here.
    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        ends_at = asyncio.get_running_loop().time() + self._seconds
        outer = _ends_at.get()
        self._token: Token[float | None] = _ends_at.set(
            ends_at if outer is None else min(outer, ends_at)
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _ends_at.reset(self._token)
