"""Tasks that run as long as the gateway does, or as long as a block of it.

Their failures are logged, and `/readyz` shows those of the package.

asyncio reports the exception of a task that no code awaits only once the task is collected: without
this module, such a task would end unnoticed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from logging import ERROR, getLogger
from typing import Any

from gateway.telemetry.log import log_event

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0

log = getLogger("lockgate")


class WatchedTasks:
    """The tasks of the package that run until the stop, and those of them that have failed."""

    def __init__(self) -> None:
        self._failures: dict[str, str] = {}

    @property
    def failures(self) -> dict[str, str]:
        """The kind of exception that ended a task, by the name of the task."""
        return dict(self._failures)

    def watch(self, task: asyncio.Task[Any]) -> None:
        """Log the exception that ends a task, if one does; the process is not ready from then on.

        A task that returns or is cancelled has ended as it should.
        """
        task.add_done_callback(self._on_end)

    @asynccontextmanager
    async def watch_new_tasks(self) -> AsyncIterator[None]:
        """Watch each task that the block creates and that is still running at its end."""
        before = asyncio.all_tasks()
        yield
        for task in asyncio.all_tasks() - before:
            self.watch(task)

    def _on_end(self, task: asyncio.Task[Any]) -> None:
        if error := log_failure(task):
            self._failures[task.get_name()] = type(error).__name__


def log_failure(task: asyncio.Task[Any]) -> BaseException | None:
    """Log and return the exception that has ended a task, if one has; a callback for a task."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log_event(log, "task.failed", ERROR, error, task=task.get_name())
    return error


@asynccontextmanager
async def run_in_background(
    name: str, run: Callable[[], Coroutine[Any, Any, None]]
) -> AsyncIterator[None]:
    """Run `run` as `keep_running` does, in a task of this name, until the end of the block.

    The task has ended when the block is left, also by an exception.
    """
    task = asyncio.create_task(keep_running(name, run), name=name)
    try:
        yield
    finally:
        await cancel_and_wait(task)


async def cancel_and_wait(*tasks: asyncio.Task[Any]) -> None:
    """Cancel the tasks, and wait until all have ended; none of their exceptions is raised.

    If the caller is cancelled meanwhile, that is raised, and the tasks end on their own. `await
    task` within `suppress(CancelledError)` would lose that cancellation.
    """
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


async def keep_running(name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run until cancelled: log each unexpected exception of `run`, pause, and run again.

    The pause is one second at first, twice as long after each further failure, and 30 at most. A
    run that is longer than that begins anew with one second.
    """
    clock = asyncio.get_running_loop().time
    pause = FIRST_PAUSE_SECONDS
    while True:
        started = clock()
        try:
            await run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the task must go on
            if clock() - started > LONGEST_PAUSE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            log_event(log, "task.failed", ERROR, error, task=name, restart_seconds=pause)
        raise_lost_cancellation()
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def raise_lost_cancellation() -> None:
    """Cancel this task if it has been cancelled before.

    A loop calls it after each exchange with Redis, outside of any `asyncio.timeout`. redis-py sends
    commands with `asyncio.wait_for`, which in Python 3.11 drops a cancellation that arrives
    together with the result. The loop would never end.

    Raises:
        CancelledError: the task has been cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def log_loop_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what the event loop reports: the exception of a callback, or of a task without an owner.

    For `loop.set_exception_handler`.
    """
    source = context.get("task") or context.get("future") or context.get("handle")
    name = source.get_name() if isinstance(source, asyncio.Task) else ""
    fields = {"task": name} if name else {}
    message = str(context.get("message", ""))
    log_event(log, "loop.error", ERROR, context.get("exception"), message=message, **fields)
