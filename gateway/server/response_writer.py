"""Writes one response: its head, its body framed as the head says, and its trailers."""

import asyncio

from starlette.types import Message, Scope

from gateway.http1_grammar import FieldList, Fields
from gateway.request_context import INTERIM_RESPONSE, RESPONSE_TRAILERS
from gateway.server.flow_control import FlowControl
from gateway.server.response_head import (
    SerializedHead,
    serialize_head,
    serialize_interim,
    serialize_switching,
    serialize_trailers,
)

HEAD_DELAY_SECONDS = 0.02  # that a head waits for the first piece of its body

LARGE_BYTES = 16_384
"""Pieces of a body from this size on are written without a copy that joins them."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_LAST_CHUNK = b"0\r\n\r\n"


class ResponseWriter:
    """The response to one request, as far as it is written.

    An app that announces trailers (`trailers` of `http.response.start`) completes its response
    with the last of them. They are dropped unless the client accepts them and the body is chunked
    (RFC 9110, 6.5.1).
    """

    # Invariants:
    # - `head` is None until the response has begun.
    # - `unsent_head` holds the head from `start` until the first piece of the body, or for
    #   HEAD_DELAY_SECONDS. Until it is written, it can be discarded for another response, so that
    #   a failure of the body can still become a 500.
    # - After the last piece of a body with trailers, `awaits_trailers`.

    __slots__ = (
        "_default_fields", "_flow", "_head_timer", "_loop", "_remaining_length", "_scope",
        "_trailers", "awaits_trailers", "head", "unsent_head",
    )  # fmt: skip

    def __init__(
        self,
        scope: Scope,
        flow: FlowControl,
        default_fields: FieldList,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._scope = scope
        self._flow = flow
        self._default_fields = default_fields
        self._loop = loop
        self._head_timer: asyncio.TimerHandle | None = None
        self._remaining_length = 0
        self._trailers: FieldList | None = None
        self.awaits_trailers = False
        self.head: SerializedHead | None = None
        self.unsent_head = b""

    @property
    def is_withdrawable(self) -> bool:
        """Whether no byte of the response has been written, so that another can take its place."""
        return self.head is None or bool(self.unsent_head)

    def send_interim(self, status: int, fields: Fields) -> None:
        """Write an interim response, such as 103, if the client knows HTTP/1.1.

        Raises:
            InvalidResponseHead: the status is not that of an interim response, or a field is
                invalid.
        """
        data = serialize_interim(status, fields)
        if INTERIM_RESPONSE in self._scope["extensions"]:
            self._flow.write(data)

    def switch_protocols(self, fields: Fields) -> None:
        """Write `101 Switching Protocols`.

        Raises:
            InvalidResponseHead: a field is invalid.
        """
        self.head = serialize_switching([*self._default_fields, *fields])
        self._flow.write(self.head.data)

    def start(self, message: Message, *, keeps_alive: bool) -> bool:
        """Serialize the head, and hold it for the first piece of the body: mostly one write.

        Returns whether the connection goes on after the response.

        Raises:
            InvalidResponseHead: the app must not send this head.
        """
        head = self.head = serialize_head(
            message["status"],
            [*self._default_fields, *message.get("headers", ())],
            is_head_request=self._scope["method"] == "HEAD",
            keeps_alive=keeps_alive,
            can_chunk=self._scope["http_version"] != "1.0",
        )
        self._remaining_length = head.length or 0
        if message.get("trailers"):
            self._trailers = []
        self.unsent_head = head.data
        self._loop.call_soon(self._delay_head)
        return head.keeps_alive

    def discard_head(self) -> None:
        """Drop a head that is not written: another response takes its place."""
        self.head, self.unsent_head, self._trailers = None, b"", None
        if self._head_timer is not None:  # it would write the next head too early
            self._head_timer.cancel()
            self._head_timer = None

    def _delay_head(self) -> None:
        if self.unsent_head and self._head_timer is None:
            self._head_timer = self._loop.call_later(HEAD_DELAY_SECONDS, self._flush_head)

    def _flush_head(self) -> None:
        self._head_timer = None  # it refers to this object
        if self.unsent_head and not self._flow.is_closing:
            self._flow.write(self.unsent_head)
            self.unsent_head = b""

    def send_body(self, piece: bytes, *, more: bool) -> bool:
        """Write a piece of the body; return whether the response is complete.

        Raises:
            RuntimeError: the body is not as long as its Content-Length.
        """
        self.awaits_trailers = self._trailers is not None and not more
        framed = self._frame(piece, more=more)
        unsent_head, self.unsent_head = self.unsent_head, b""
        if len(piece) < LARGE_BYTES:
            self._flow.write(b"".join((unsent_head, *framed)))
        else:
            self._flow.write_pieces((unsent_head, *framed))
        return not (more or self.awaits_trailers)

    def _frame(self, piece: bytes, *, more: bool) -> tuple[bytes, ...]:
        head = self.head
        assert head is not None  # noqa: S101 - the cycle has checked it
        if head.is_bodiless:
            return ()
        if head.length is not None:
            self._remaining_length -= len(piece)
            if self._remaining_length < 0 or (self._remaining_length and not more):
                raise RuntimeError("the response body is not as long as its Content-Length")
            return (piece,)
        if not head.is_chunked:
            return (piece,)
        end = b"" if more or self.awaits_trailers else _LAST_CHUNK
        return (b"%x\r\n" % len(piece), piece, b"\r\n", end) if piece else (end,)

    def send_trailers(self, fields: Fields, *, more: bool) -> bool:
        """Add trailers, and write all after the last; return whether the response is complete.

        Raises:
            InvalidResponseHead: a field is invalid, or there are too many.
        """
        assert self._trailers is not None  # noqa: S101 - `awaits_trailers` says so
        assert self.head is not None  # noqa: S101 - likewise
        if RESPONSE_TRAILERS in self._scope["extensions"]:
            self._trailers += fields
        if not more:
            end = serialize_trailers(self._trailers) if self.head.is_chunked else b""
            self._flow.write(self.unsent_head + end)
            self.unsent_head = b""
        return not more
