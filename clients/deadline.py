"""How much time is left: set once for a piece of work, read by every call under it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends_at: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Give everything inside so many seconds from now; an earlier deadline outside stays in force.

    Tasks started inside inherit it. Measured on the running loop's clock.
    """
    ends_at = asyncio.get_running_loop().time() + seconds
    outer = _ends_at.get()
    token = _ends_at.set(ends_at if outer is None else min(outer, ends_at))
    try:
        yield
    finally:
        _ends_at.reset(token)


def remaining() -> float | None:
    """Seconds left, never below zero; None where no deadline is set."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return None
    return max(0.0, ends_at - asyncio.get_running_loop().time())
