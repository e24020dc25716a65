"""Loses the cancellation of a task, as `asyncio.wait_for` of Python 3.11 can."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


class LostCancellation:
    """Cancels each of `tasks` once, together with the result of its next exchange."""

    def __init__(self) -> None:
        self.tasks = set[asyncio.Task[None]]()

    async def wait_for(self, sent: Awaitable[T], _: float | None = None) -> T:
        """Wait for an exchange, in place of `asyncio.wait_for`; a cancellation is lost."""
        result = await sent
        task = asyncio.current_task()
        if task in self.tasks and not task.cancelling():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        return result


async def require_cancelled(tasks: set[asyncio.Task[None]]) -> None:
    """Require that the tasks end as cancelled ones within a generous time."""
    done, pending = await asyncio.wait(tasks, timeout=20)
    for task in pending:
        task.cancel()
    assert not pending
    assert all(task.cancelled() for task in done)
