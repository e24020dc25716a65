"""The caps on streams: proxied exchanges that take long, apart from `server.max_in_flight`."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import HTTPConnection

from gateway.auth.dependencies import find_principal
from gateway.auth.principal import Principal
from gateway.client_ip import find_client_address
from gateway.errors.tree import GatewayError, Overloaded, TooManyStreams
from gateway.proxy.revocable_streams import RevocableStreams
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


MAX_EXCESS = 8
"""A caller with more excess streams is refused its proxied requests before they are sent."""


class StreamLimit:
    """Counts the streams of the process, and those of each caller.

    There are at most `server.max_streams`, and `server.max_streams_per_caller` of one caller. A
    stream counts here, and no longer against `server.max_in_flight`, nor against the
    `max_connections` of its service.

    An exchange that must not be refused any more becomes a stream without a free place, too: an
    excess stream. It takes no place of another caller, and its caller may send no more requests
    while it has MAX_EXCESS of them (`check`).
    """

    # Invariants:
    #   - `_counts` has the callers with at least one stream in a place, and adds up to `count`.
    #   - `_excess` has the callers with at least one excess stream, and adds up to `excess`.

    def __init__(self, server: Server, revocable: RevocableStreams | None = None) -> None:
        self.server = server
        self.revocable = revocable
        self._max_per_caller = server.streams_per_caller
        self.count = 0
        self.excess = 0
        self._counts: dict[StreamCaller, int] = {}
        self._excess: dict[StreamCaller, int] = {}

    def __repr__(self) -> str:
        """Show the number of streams, and of callers."""
        streams = f"{self.count}/{self.server.max_streams}"
        excess = f" and {self.excess} in excess" if self.excess else ""
        return f"<{type(self).__name__} {streams} of {len(self._counts)} callers{excess}>"

    def is_full_for(self, caller: StreamCaller) -> bool:
        """Whether one more stream of this caller would be too many, for the caller or in all."""
        return self._has_too_many(caller) or self.count >= self.server.max_streams

    def add(self, caller: StreamCaller, context: RequestContext) -> None:
        """Count a stream of this caller, or log which setting does not allow it.

        Raises:
            TooManyStreams: the caller has `max_streams_per_caller` already.
            Overloaded: there are `max_streams` already.
        """
        if self.is_full_for(caller):
            raise self._explain(caller, context)
        self._take_place(caller)

    def add_late(self, caller: StreamCaller) -> None:
        """Count a stream that must not be refused: as an excess stream if no place is free."""
        if self.is_full_for(caller):
            self.excess += 1
            self._excess[caller] = self._excess.get(caller, 0) + 1
        else:
            self._take_place(caller)

    def check(self, caller: StreamCaller, context: RequestContext) -> None:
        """Refuse a request of a caller that has MAX_EXCESS excess streams.

        Excess streams first take the places that have become free.

        Raises:
            TooManyStreams: the caller has `max_streams_per_caller` already.
            Overloaded: there are `max_streams` already.
        """
        while caller in self._excess and not self.is_full_for(caller):
            self._remove_excess(caller)
            self._take_place(caller)
        if self._excess.get(caller, 0) >= MAX_EXCESS:
            raise self._explain(caller, context)

    def remove(self, caller: StreamCaller) -> None:
        """Count one stream of this caller less: an excess stream, if there is one."""
        if caller in self._excess:
            self._remove_excess(caller)
        else:
            self.count -= 1
            _decrement(self._counts, caller)

    def _take_place(self, caller: StreamCaller) -> None:
        self.count += 1
        self._counts[caller] = self._counts.get(caller, 0) + 1

    def _remove_excess(self, caller: StreamCaller) -> None:
        self.excess -= 1
        _decrement(self._excess, caller)

    def _has_too_many(self, caller: StreamCaller) -> bool:
        return self._counts.get(caller, 0) >= self._max_per_caller

    def _explain(self, caller: StreamCaller, context: RequestContext) -> GatewayError:
        """Return the error of a caller without a free place; log the setting that allows none."""
        log_fields = context.log_fields
        if self._has_too_many(caller):
            allowed = self.server.streams_per_caller
            explanation = f"server.max_streams_per_caller allows {allowed} streams"
            log_fields["explanation"] = explanation
            return TooManyStreams(RETRY_AFTER_SECONDS)
        explanation = f"server.max_streams allows {self.server.max_streams} streams"
        log_fields["explanation"] = explanation
        return Overloaded(RETRY_AFTER_SECONDS)


def _decrement(counts: dict[StreamCaller, int], caller: StreamCaller) -> None:
    left = counts.pop(caller) - 1
    if left:
        counts[caller] = left


class StreamSlot:
    """The place of one request in the StreamLimit, once it has become a stream.

    A WebSocket, an event stream and an exchange with a long Content-Length become one with `open`,
    and are refused without a free place. A request that the service has carried out becomes one
    with `open_late`, and is never refused; so does a body that is being passed on (`watch`,
    `add_bytes`), after LONG_SECONDS or LONG_BYTES.
    """

    # Invariants:
    #   - `_caller` is None until it is asked for: most requests never become a stream.
    #   - `_timer` runs from `watch` until `unwatch`, unless the request becomes a stream first.
    #   - `_on_open` is called once the request is a stream, if it has been set before or after.
    #   - `_on_revoked` is called once the token is revoked, if the request is a stream by then.

    __slots__ = (
        "_bytes", "_caller", "_limit", "_on_open", "_on_revoked", "_request", "_timer", "is_open",
        "is_revoked",
    )  # fmt: skip

    def __init__(self, limit: StreamLimit, request: HTTPConnection) -> None:
        self.is_open = self.is_revoked = False
        self._limit = limit
        self._request = request
        self._caller: StreamCaller | None = None
        self._bytes = 0
        self._on_open: Callable[[], object] | None = None
        self._on_revoked: Callable[[], object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def check_excess(self) -> None:
        """Refuse the request if its caller has too many excess streams.

        Raises:
            TooManyStreams, Overloaded: it has, and there is no free place.
        """
        limit = self._limit
        if limit.excess and not self.is_open:  # mostly there are none
            limit.check(self._find_caller(), RequestContext.of(self._request.scope))

    def open(self) -> None:
        """Become a stream, which is in flight no longer; no effect on one that is a stream.

        Raises:
            TooManyStreams, Overloaded: there is no free place.
        """
        if not self.is_open:
            self._limit.add(self._find_caller(), RequestContext.of(self._request.scope))
            self._begin()

    def open_late(self) -> None:
        """Become a stream, also without a free place; no effect on one that is a stream."""
        if not self.is_open:
            self._limit.add_late(self._find_caller())
            self._begin()

    def _begin(self) -> None:
        self.is_open = True
        RequestContext.of(self._request.scope).leave_admission()
        self.unwatch()
        if self._on_open is not None:
            self._on_open()
        if self._limit.revocable is not None:
            self._limit.revocable.add(self)

    def follow(self, on_open: Callable[[], object]) -> None:
        """Call `on_open` when the request becomes a stream: now if it is one."""
        self._on_open = on_open
        if self.is_open:
            on_open()

    @property
    def principal(self) -> Principal | None:
        """The caller, if its token or ticket has been verified."""
        return find_principal(self._request)

    @contextmanager
    def call_when_revoked(self, on_revoked: Callable[[], object]) -> Iterator[None]:
        """Call a function if the token of the caller is revoked during the block."""
        self._on_revoked = on_revoked
        try:
            yield
        finally:
            self._on_revoked = None

    def revoke(self) -> None:
        """End the stream: the token of the caller has been revoked."""
        self.is_revoked = True
        if self._on_revoked is not None:
            self._on_revoked()

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the request become a stream after LONG_SECONDS."""
        if not self.is_open and self._timer is None:
            self._timer = loop.call_later(LONG_SECONDS, self.open_late)

    def add_bytes(self, count: int) -> None:
        """Count bytes that have been passed on, of either body."""
        self._bytes += count
        if self._bytes > LONG_BYTES:
            self.open_late()

    def close(self) -> None:
        """Count no longer; no effect on a request that is not a stream."""
        self._on_open = None
        self.unwatch()
        if self.is_open:
            self.is_open = False
            self._limit.remove(self._find_caller())
            if self._limit.revocable is not None:
                self._limit.revocable.discard(self)

    def unwatch(self) -> None:
        """Let time no longer count: no body is being passed on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

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
