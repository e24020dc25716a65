"""The cap on streams: proxied exchanges that take long, apart from `server.max_in_flight`."""

from gateway.errors.tree import Overloaded
from gateway.request_context import RequestContext

RETRY_AFTER_SECONDS = 1.0


class StreamLimit:
    """Counts the streams of the process: at most `max_streams` (`server.max_streams`).

    A proxied exchange becomes a stream when its body is known to be long, or to be of unknown
    length; a WebSocket connection always is one. A stream counts here, and no longer against
    `server.max_in_flight`, nor against the `max_connections` of its service.
    """

    def __init__(self, max_streams: int) -> None:
        self.max_streams = max_streams
        self.count = 0

    def __repr__(self) -> str:
        """Show the number of streams."""
        return f"<{type(self).__name__} {self.count}/{self.max_streams}>"


class Stream:
    """The place of one request in the StreamLimit, once it has become a stream."""

    __slots__ = ("_context", "_limit", "is_open")

    def __init__(self, limit: StreamLimit, context: RequestContext) -> None:
        self.is_open = False
        self._limit = limit
        self._context = context

    def open(self) -> None:
        """Become a stream, which is in flight no longer; no effect on one that is a stream.

        Raises:
            Overloaded: there are `max_streams` already.
        """
        if self.is_open:
            return
        if self._limit.count >= self._limit.max_streams:
            raise Overloaded(RETRY_AFTER_SECONDS)
        self._limit.count += 1
        self.is_open = True
        self._context.leave_admission()

    def close(self) -> None:
        """Count no longer; no effect on a request that is no stream."""
        if self.is_open:
            self.is_open = False
            self._limit.count -= 1
