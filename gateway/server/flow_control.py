"""The sending side of one connection, with its back-pressure."""

import asyncio


class FlowControl:
    """Writes to a transport; who has much to send waits until the client has taken some.

    While it `is_crowded`, nothing is read; when it `is_closing`, nothing more can be said on it.
    Nobody is left waiting on one that is not `is_patient`.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.is_crowded = self.is_closing = self.is_ended = False
        self.is_patient = True
        self._transport = transport
        self._reading = True
        self._resumed: asyncio.Future[None] | None = None

    @property
    def is_full(self) -> bool:
        """The client has much to take yet."""
        return self._resumed is not None

    @property
    def unsent(self) -> int:
        """Bytes that the client has not taken."""
        return self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Send, as soon as the client takes it."""
        self._transport.write(data)

    def close(self) -> None:
        """End the connection when everything written has left."""
        self.is_closing = True
        self._transport.close()

    def end(self) -> None:
        """End what we send, and leave the client the time to read it before it closes.

        To close while it still sends would reset the connection, and what it has not read of
        the answer would be lost to it (RFC 9112, 9.6).
        """
        if self.is_closing:
            return
        if not (self.is_patient and self._transport.can_write_eof()):
            self.close()
            return
        self.is_closing, self.is_ended, self.is_crowded = True, True, False
        self.resume_reading()
        try:
            self._transport.write_eof()
        except OSError:  # asyncio's own: the client has just gone
            self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        self.is_closing = True
        self._transport.abort()

    def pause_reading(self) -> None:
        """Leave what the client sends in the kernel."""
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not (self._reading or self.is_crowded):
            self._reading = True
            self._transport.resume_reading()

    @property
    def is_reading(self) -> bool:
        """What the client sends is read."""
        return self._reading

    def fill(self) -> None:
        """The transport has too much to send."""
        if self._resumed is None:
            self._resumed = asyncio.get_running_loop().create_future()

    def drain(self) -> None:
        """The transport has little to send, or nobody to send it to."""
        resumed, self._resumed = self._resumed, None
        if resumed is not None and not resumed.done():
            resumed.set_result(None)

    async def drained(self) -> None:
        """Wait until there is room."""
        while self._resumed is not None:
            await asyncio.shield(self._resumed)
