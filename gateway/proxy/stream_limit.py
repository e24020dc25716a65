"""The cap on streams: proxied exchanges that take long, apart from `server.max_in_flight`."""

from gateway.errors.tree import Overloaded
from gateway.request_context import RequestContext

RETRY_AFTER_SECONDS = 1.0


class StreamLimit:
    """Counts the streams of the process: at most `max_streams` (`server.max_streams`).

    A proxied exchange is a stream from the moment on at which its body is known to be long or of
    unknown length, and a WebSocket connection always is one. A stream counts here, and no longer
    against `server.max_in_flight` and the `max_connections` of its service.
    """

    def __init__(self, max_streams: int) -> None:
        self.max_streams = max_streams
        self.open = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.open}/{self.max_streams}>"

    def admit(self, context: RequestContext) -> "Stream":
        """Let a request become a stream.

        Raises:
            Overloaded: there are `max_streams` already.
        """
        if self.open >= self.max_streams:
            raise Overloaded(RETRY_AFTER_SECONDS)
        self.open += 1
        context.leave_admission()
        return Stream(self)


class Stream:
    """One stream that counts until it is closed."""

    __slots__ = ("_limit",)

    def __init__(self, limit: StreamLimit) -> None:
        self._limit: StreamLimit | None = limit

    def close(self) -> None:
        """Count no longer; may be called twice."""
        limit, self._limit = self._limit, None
        if limit is not None:
            limit.open -= 1
