"""What the connections to one service have to send in one turn of the loop, sent at its end."""

import asyncio
from collections.abc import Callable

Write = Callable[[bytes], None]


class Outbox:
    """Sends all requests of one turn together.

    A server woken by the first then finds the others there, and to wake it is most of what a
    small write costs.
    """

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[tuple[Write, bytes]] = []

    def put(self, write: Write, data: bytes) -> None:
        """Call `write` with the data when the loop's turn ends; it must not raise."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append((write, data))

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for write, data in waiting:
            write(data)
