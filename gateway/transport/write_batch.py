"""Batches the requests that one turn of the event loop sends to one origin."""

import asyncio
from collections.abc import Callable

MAX_BATCH = 8

Write = Callable[[bytes], None]


class WriteBatcher:
    """Writes the requests of one turn at its end, or as soon as there are `MAX_BATCH`.

    Most of the cost of a small write is waking the server. When the first request wakes it, the
    others have arrived too. A larger batch would delay the first request without a gain.
    """

    __slots__ = ("_batch", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._batch: list[tuple[Write, bytes]] = []

    def add(self, write: Write, data: bytes) -> None:
        """Call `write(data)` by the end of this turn of the loop; `write` must not raise."""
        if not self._batch:
            self._loop.call_soon(self._flush)
        self._batch.append((write, data))
        if len(self._batch) >= MAX_BATCH:
            self._flush()

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        for write, data in batch:
            write(data)
