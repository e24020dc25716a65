"""Tells running requests that the server stops, so that endless responses can end in time."""

from collections.abc import Callable


class ShutdownNotice:
    """Calls the registered callbacks once, when the server stops; see `SHUTDOWN_NOTICE`."""

    def __init__(self) -> None:
        self._callbacks: set[Callable[[], object]] = set()
        self._is_given = False

    def add(self, callback: Callable[[], object]) -> None:
        """Register a callback; it is called at once if the server stops already."""
        if self._is_given:
            callback()
        else:
            self._callbacks.add(callback)

    def discard(self, callback: Callable[[], object]) -> None:
        """Forget a callback."""
        self._callbacks.discard(callback)

    def give(self) -> None:
        """Call the callbacks: the server stops."""
        self._is_given = True
        callbacks, self._callbacks = self._callbacks, set()
        for callback in callbacks:
            callback()
