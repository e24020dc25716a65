"""HTTP/1.1 on the public port: uvicorn's, with an end to what one connection may take up."""

import asyncio

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES = 65_536
MAX_FIELDS = 128
MAX_PIPELINED = 16

LOOK_SECONDS = 15.0
LEAST_BYTES = 1_024


class TooMuch(Exception):
    """More than a request may bring, or than may wait on one connection."""


class BoundedHttp(HttpToolsProtocol):
    """A connection that ends when its client asks for too much, or keeps others waiting.

    Every `LOOK_SECONDS` it is looked at. A client whose turn it is has to finish a request or
    send `LEAST_BYTES`, and one that is being answered has to read; else, at the second look in
    a row, the connection is gone, and with it what it held.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._answering: RequestResponseCycle | None = None
        self._arriving = self._in_head = False
        self._framing_bytes = self._head_bytes = self._fields = 0
        self._arrived = self._unsent = self._idle_looks = 0
        self._moved = True
        self._next_look = self.loop.call_later(LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_look.cancel()
        super().connection_lost(exc)
        # Of several requests in the pipeline uvicorn tells only the last.
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def data_received(self, data: bytes) -> None:
        self._arrived += len(data)
        self._framing_bytes += len(data)
        super().data_received(data)
        if self._framing_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def resume_writing(self) -> None:
        self._moved = True
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse, unless another request is being answered: its client would take it for that."""
        if self._is_answering():
            self.transport.close()
        else:
            super().send_400_response(msg)

    # What follows is called by httptools.

    def on_message_begin(self) -> None:
        self._arriving = self._in_head = True
        self._head_bytes = self._fields = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._measure(len(name) + len(value))
        # A trailer is no header (RFC 9110, 6.5.1): no proxy has looked for a forged one there.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._framing_bytes = 0
        if len(self.pipeline) >= MAX_PIPELINED:
            raise TooMuch
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._arriving = False
        self._framing_bytes = 0
        self._moved = True
        super().on_message_complete()

    def _measure(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES or self._fields > MAX_FIELDS:
            raise TooMuch

    # Who keeps whom waiting.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _is_answering(self) -> bool:
        return self._answering is not None and not self._answering.response_complete

    def _look(self) -> None:
        is_idle = not self._moved and (self._is_unheard() or self._is_unread())
        self._idle_looks = self._idle_looks + 1 if is_idle else 0
        if self._idle_looks > 1:
            self.transport.abort()
            return
        self._unsent = self.transport.get_write_buffer_size()
        self._arrived, self._moved = 0, False
        self._next_look = self.loop.call_later(LOOK_SECONDS, self._look)

    def _is_unheard(self) -> bool:
        """The client has the word, and says next to nothing."""
        is_its_turn = (self._arriving or not self._is_answering()) and not self.flow.read_paused
        return is_its_turn and self._arrived < LEAST_BYTES

    def _is_unread(self) -> bool:
        """Of what is to be sent, nothing could be since the last look."""
        return 0 < self._unsent <= self.transport.get_write_buffer_size()
