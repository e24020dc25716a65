"""The cap on streams: proxied exchanges that take long, apart from `server.max_in_flight`."""

import asyncio
from collections.abc import Callable

from gateway.errors.tree import Overloaded
from gateway.request_context import RequestContext

RETRY_AFTER_SECONDS = 1.0

LONG_BYTES = 262_144
"""An exchange with a longer body is a stream."""

LONG_SECONDS = 1.0
"""An exchange whose body takes longer is a stream."""


class StreamLimit:
    """Counts the streams of the process: at most `max_streams` (`server.max_streams`).

    A stream counts here, and no longer against `server.max_in_flight`, nor against the
    `max_connections` of its service.
    """

    def __init__(self, max_streams: int) -> None:
        self.max_streams = max_streams
        self.count = 0

    def __repr__(self) -> str:
        """Show the number of streams."""
        return f"<{type(self).__name__} {self.count}/{self.max_streams}>"

    @property
    def is_full(self) -> bool:
        """Whether one stream more would be too many."""
        return self.count >= self.max_streams


class Stream:
    """The place of one request in the StreamLimit, once it has become a stream.

    A WebSocket, an event stream and an exchange with a long Content-Length become one with `open`,
    and are refused without a free place; but not a request that the service has carried out. A body
    that is being passed on (`watch`, `add_bytes`) becomes one after LONG_SECONDS or LONG_BYTES.
    Without a free place it stays in flight until there is one: a body that has begun is never
    refused.
    """

    # Invariants:
    #   - `_timer` runs from `watch` until `unwatch`, unless the request becomes a stream first.
    #   - `_on_open` is called once the request is a stream, if it has been set before or after.

    __slots__ = ("_bytes", "_context", "_limit", "_on_open", "_timer", "is_open")

    def __init__(self, limit: StreamLimit, context: RequestContext) -> None:
        self.is_open = False
        self._limit = limit
        self._context = context
        self._bytes = 0
        self._on_open: Callable[[], object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Become a stream, which is in flight no longer; no effect on one that is a stream.

        Raises:
            Overloaded: there are `max_streams` already.
        """
        if self.is_open:
            return
        if self._limit.is_full:
            explanation = f"server.max_streams allows {self._limit.max_streams} streams"
            self._context.log_fields["explanation"] = explanation
            raise Overloaded(RETRY_AFTER_SECONDS)
        self._limit.count += 1
        self.is_open = True
        self._context.leave_admission()
        self.unwatch()
        if self._on_open is not None:
            self._on_open()

    def follow(self, on_open: Callable[[], object]) -> None:
        """Call `on_open` when the request becomes a stream: now if it is one."""
        self._on_open = on_open
        if self.is_open:
            on_open()

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the request become a stream after LONG_SECONDS."""
        if not self.is_open and self._timer is None:
            self._timer = loop.call_later(LONG_SECONDS, self._open_late, loop)

    def add_bytes(self, count: int) -> None:
        """Count bytes that have been passed on, of either body."""
        self._bytes += count
        if self._bytes > LONG_BYTES and not (self.is_open or self._limit.is_full):
            self.open()

    def close(self) -> None:
        """Count no longer; no effect on a request that is not a stream."""
        self._on_open = None
        self.unwatch()
        if self.is_open:
            self.is_open = False
            self._limit.count -= 1

    def unwatch(self) -> None:
        """Let time no longer count: no body is being passed on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _open_late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._limit.is_full:
            self.watch(loop)
        else:
            self.open()
