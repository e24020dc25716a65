"""The second attempt after a stale keep-alive connection, for all that wait for an outcome.

`Connection` says when a request may be sent once more. A call that waits for no outcome, but gets
a callback, begins its second attempt itself (`gateway/upstream/pending.py`).
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

from gateway.transport.connection import Connection

T = TypeVar("T")

Acquire = Callable[[bool], Awaitable[Connection]]
"""Takes a connection from the pool; with True, one that has served no request before."""

Attempt = Callable[[Connection], Awaitable[tuple[T | httpx.TransportError, bool]]]
"""Makes an attempt and releases the connection; returns its outcome, and whether it was stale."""


async def retry_if_stale(acquire: Acquire, attempt: Attempt[T], *, force_new: bool = False) -> T:
    """Make an attempt, and a second one if the connection of the first was stale.

    Raises:
        httpx.TransportError: the last attempt failed.
    """
    outcome, is_stale = await attempt(await acquire(force_new))
    if is_stale:
        # Over a new connection, which is never stale: there is no third attempt.
        outcome, _ = await attempt(await acquire(True))
    if not isinstance(outcome, httpx.TransportError):
        return outcome
    try:
        raise outcome
    finally:
        del outcome  # the traceback refers to this frame: a reference to the error would be a cycle
