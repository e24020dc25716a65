"""What the connections to one origin have to send in one turn of the loop, sent together."""

import asyncio
from collections.abc import Callable

MAX_BATCH = 8

Write = Callable[[bytes], None]


class WriteBatcher:
    """Sends the requests of one turn at its end, or as soon as `MAX_BATCH` are there.

    A server woken by the first then finds the others there, and to wake it is most of what a
    small write costs. More of them would make the first wait for no gain.
    """

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[Write, bytes]] = []

    def put(self, write: Write, data: bytes) -> None:
        """Call `write` with the data, by the end of the loop's turn; it must not raise."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append((write, data))
        if len(self._waiting) >= MAX_BATCH:
            self._send()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for write, data in waiting:
            write(data)
