"""The caps on streams: proxied exchanges that take long, apart from `server.max_in_flight`."""

import asyncio
from collections.abc import Callable

from starlette.requests import HTTPConnection

from gateway.auth.dependencies import find_principal
from gateway.client_ip import find_client_address
from gateway.errors.tree import Overloaded, TooManyStreams
from gateway.ratelimit.partition import address_partition
from gateway.request_context import RequestContext
from gateway.settings.schema import Server

StreamCaller = tuple[str, str]
"""The issuer and the subject of a verified token, or "" and the address of the client."""

RETRY_AFTER_SECONDS = 1.0

LONG_BYTES = 262_144
"""An exchange with a longer body is a stream."""

LONG_SECONDS = 1.0
"""An exchange whose body takes longer is a stream."""


class StreamLimit:
    """Counts the streams of the process, and those of each caller.

    There are at most `server.max_streams`, and `server.max_streams_per_caller` of one caller. A
    stream counts here, and no longer against `server.max_in_flight`, nor against the
    `max_connections` of its service.
    """

    # Invariant: `_counts` has the callers with at least one stream, and adds up to `count`.

    def __init__(self, server: Server) -> None:
        self.server = server
        self.count = 0
        self._counts: dict[StreamCaller, int] = {}

    def __repr__(self) -> str:
        """Show the number of streams, and of callers."""
        streams = f"{self.count}/{self.server.max_streams}"
        return f"<{type(self).__name__} {streams} of {len(self._counts)} callers>"

    def is_full_for(self, caller: StreamCaller) -> bool:
        """Whether one more stream of this caller would be too many, for the caller or in all."""
        return self._has_too_many(caller) or self.count >= self.server.max_streams

    def add(self, caller: StreamCaller, context: RequestContext) -> None:
        """Count a stream of this caller, or log which setting does not allow it.

        Raises:
            TooManyStreams: the caller has `max_streams_per_caller` already.
            Overloaded: there are `max_streams` already.
        """
        if self._has_too_many(caller):
            allowed = self.server.max_streams_per_caller
            explanation = f"server.max_streams_per_caller allows {allowed} streams"
            context.log_fields["explanation"] = explanation
            raise TooManyStreams(RETRY_AFTER_SECONDS)
        if self.is_full_for(caller):
            explanation = f"server.max_streams allows {self.server.max_streams} streams"
            context.log_fields["explanation"] = explanation
            raise Overloaded(RETRY_AFTER_SECONDS)
        self.count += 1
        self._counts[caller] = self._counts.get(caller, 0) + 1

    def remove(self, caller: StreamCaller) -> None:
        """Count one stream of this caller less."""
        self.count -= 1
        left = self._counts.pop(caller) - 1
        if left:
            self._counts[caller] = left

    def _has_too_many(self, caller: StreamCaller) -> bool:
        return self._counts.get(caller, 0) >= self.server.max_streams_per_caller


class Stream:
    """The place of one request in the StreamLimit, once it has become a stream.

    A WebSocket, an event stream and an exchange with a long Content-Length become one with `open`,
    and are refused without a free place; but not a request that the service has carried out. A body
    that is being passed on (`watch`, `add_bytes`) becomes one after LONG_SECONDS or LONG_BYTES.
    Without a free place it stays in flight until there is one: a body that has begun is never
    refused.
    """

    # Invariants:
    #   - `_caller` is None until it is asked for: most requests never become a stream.
    #   - `_timer` runs from `watch` until `unwatch`, unless the request becomes a stream first.
    #   - `_on_open` is called once the request is a stream, if it has been set before or after.

    __slots__ = ("_bytes", "_caller", "_limit", "_on_open", "_request", "_timer", "is_open")

    def __init__(self, limit: StreamLimit, request: HTTPConnection) -> None:
        self.is_open = False
        self._limit = limit
        self._request = request
        self._caller: StreamCaller | None = None
        self._bytes = 0
        self._on_open: Callable[[], object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def has_place(self) -> bool:
        """Whether the request is a stream, or could become one now."""
        return self.is_open or not self._limit.is_full_for(self._find_caller())

    def open(self) -> None:
        """Become a stream, which is in flight no longer; no effect on one that is a stream.

        Raises:
            TooManyStreams, Overloaded: there is no free place.
        """
        if self.is_open:
            return
        context = RequestContext.of(self._request.scope)
        self._limit.add(self._find_caller(), context)
        self.is_open = True
        context.leave_admission()
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
        if self._bytes > LONG_BYTES and not self.is_open and self.has_place:
            self.open()

    def close(self) -> None:
        """Count no longer; no effect on a request that is not a stream."""
        self._on_open = None
        self.unwatch()
        if self.is_open:
            self.is_open = False
            self._limit.remove(self._find_caller())

    def unwatch(self) -> None:
        """Let time no longer count: no body is being passed on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _open_late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self.has_place:
            self.open()
        else:
            self.watch(loop)

    def _find_caller(self) -> StreamCaller:
        """Find the caller: that of the token or ticket, else the client address."""
        if self._caller is None:
            principal = find_principal(self._request)
            if principal is not None:
                self._caller = (principal.issuer, principal.subject)
            else:
                address = find_client_address(self._request, self._limit.server).ip
                self._caller = ("", address_partition(address))
        return self._caller
