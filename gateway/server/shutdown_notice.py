"""Tells running requests that the server stops, so that endless responses can end in time."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging import ERROR, getLogger

from starlette.types import Scope

from gateway.request_context import SHUTDOWN_NOTICE
from gateway.telemetry.log import log_event

log = getLogger("lockgate.server")


class ShutdownNotice:
    """Calls the registered callbacks once, when the server stops; see `SHUTDOWN_NOTICE`."""

    def __init__(self) -> None:
        self._callbacks: set[Callable[[], object]] = set()
        self._is_given = False

    def add(self, callback: Callable[[], object]) -> None:
        """Register a callback; it is called at once if the server stops already."""
        if self._is_given:
            _call(callback)
        else:
            self._callbacks.add(callback)

    def discard(self, callback: Callable[[], object]) -> None:
        """Forget a callback."""
        self._callbacks.discard(callback)

    async def give_gradually(self, seconds: float) -> None:
        """Call the callbacks that are registered now, evenly spread over `seconds`.

        Those that are registered meanwhile are left to `give`.
        """
        loop = asyncio.get_running_loop()
        callbacks, started = list(self._callbacks), loop.time()
        for number, callback in enumerate(callbacks):
            await asyncio.sleep(started + seconds * number / len(callbacks) - loop.time())
            if callback in self._callbacks:
                self._callbacks.discard(callback)
                _call(callback)
        await asyncio.sleep(started + seconds - loop.time())

    def give(self) -> None:
        """Call the callbacks: the server stops."""
        self._is_given = True
        callbacks, self._callbacks = self._callbacks, set()
        for callback in callbacks:
            _call(callback)


def _call(callback: Callable[[], object]) -> None:
    """Call a callback; its failure must keep neither the others nor the server from stopping."""
    try:
        callback()
    except Exception as error:  # noqa: BLE001 - see above
        log_event(log, "server.shutdown_notice_failed", ERROR, error)


@contextmanager
def call_at_shutdown(scope: Scope, callback: Callable[[], object]) -> Iterator[None]:
    """Register a callback for the length of the block; no effect under another server."""
    notice: ShutdownNotice | None = (scope.get("state") or {}).get(SHUTDOWN_NOTICE)
    if notice is None:
        yield
        return
    notice.add(callback)
    try:
        yield
    finally:
        notice.discard(callback)
