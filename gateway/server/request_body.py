"""The body of a request: buffered between the connection and the `receive` of the app."""

import asyncio

from starlette.types import Message

from gateway.http1_grammar import FieldList

HIGH_WATER_LIMIT = 65_536  # bytes of a request body that are buffered before reading pauses

SMALL_BYTES = 4_096
"""Pieces below this size are joined, because a piece of a few bytes takes ten times its memory."""


class RequestBody:
    """The pieces of a body that have arrived, and that the app has not received yet.

    Every method may have a body: a search over GET has one that its service reads. An app that does
    not want it does not receive it.
    """

    # Invariants:
    # - `size` is the number of bytes in `_pieces`. Large pieces stay as they are, so that the app
    #   gets them without a copy; consecutive small ones share a bytearray.
    # - The app gets the end of the body once (`_is_delivered`).

    __slots__ = ("_event", "_is_delivered", "_pieces", "_trailers", "is_complete", "size")

    def __init__(self) -> None:
        self.is_complete = self._is_delivered = False
        self.size = 0
        self._pieces: list[bytes | bytearray] = []
        self._trailers: FieldList = []
        self._event: asyncio.Event | None = None

    def add(self, piece: bytes) -> None:
        """Buffer a piece."""
        self.size += len(piece)
        last = self._pieces[-1] if self._pieces else None
        if len(piece) >= SMALL_BYTES:
            self._pieces.append(piece)
        elif isinstance(last, bytearray) and len(last) < HIGH_WATER_LIMIT:
            last += piece
        else:
            self._pieces.append(bytearray(piece))
        self.notify()

    def end(self, trailers: FieldList) -> None:
        """Note that the body is complete, with the fields that followed it."""
        self.is_complete = True
        self._trailers = trailers
        if self._event is not None:
            self._event.set()

    def drop(self) -> None:
        """Drop what the app has not received."""
        self._pieces.clear()
        self.size = 0
        if self._event is not None:
            self._event.set()

    def take_message(self) -> Message | None:
        """Take the next `http.request` message, or return None if there is none yet."""
        if not self._pieces:
            if not self.is_complete or self._is_delivered:
                return None
            is_last, piece = True, b""
        else:
            piece = bytes(self._pieces.pop(0))  # no copy of a large one
            self.size -= len(piece)
            is_last = self.is_complete and not self._pieces
        self._is_delivered = is_last
        message = {"type": "http.request", "body": piece, "more_body": not is_last}
        if is_last and self._trailers:
            message["trailers"] = self._trailers
        return message

    def notify(self) -> None:
        """Let a waiting `receive` look again."""
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        """Wait until something has changed."""
        if self._event is None:
            self._event = asyncio.Event()
        self._event.clear()
        await self._event.wait()
