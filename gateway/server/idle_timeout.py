"""How long a client may keep others waiting, who could have its place."""

import asyncio
from collections.abc import Callable

from gateway.server.flow_control import FlowControl

LOOK_SECONDS = 15.0
LEAST_BYTES = 1_024


class IdleTimeout:
    """Looks at a connection every `LOOK_SECONDS`, and ends it at the second idle look in a row.

    A client whose turn it is, as `is_its_turn` knows, has to finish a request or send
    `LEAST_BYTES`, and one that is being answered has to read. What comes is counted in `arrived`;
    whoever sees something done sets `moved`.
    """

    __slots__ = (
        "_idle_looks",
        "_is_its_turn",
        "_loop",
        "_next_look",
        "_unsent",
        "_wire",
        "arrived",
        "moved",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, wire: FlowControl, is_its_turn: Callable[[], bool]
    ) -> None:
        self.arrived = 0
        self.moved = True
        self._loop = loop
        self._wire = wire
        self._is_its_turn = is_its_turn
        self._unsent = self._idle_looks = 0
        self._next_look = loop.call_later(LOOK_SECONDS, self._look)

    def end(self) -> None:
        """Look no more."""
        self._next_look.cancel()
        # What refers to itself would stay until the garbage is collected.
        self._is_its_turn = bool

    def _look(self) -> None:
        is_idle = not self.moved and (self._is_unheard() or self._is_unread())
        self._idle_looks = self._idle_looks + 1 if is_idle else 0
        if self._idle_looks > 1:
            self._wire.abort()
            return
        self._unsent = self._wire.unsent
        self.arrived, self.moved = 0, False
        self._next_look = self._loop.call_later(LOOK_SECONDS, self._look)

    def _is_unheard(self) -> bool:
        """The client has the word, has taken all there was for it, and says next to nothing."""
        if self._wire.is_ended:
            return not self._wire.unsent
        return self._is_its_turn() and self._wire.is_reading and self.arrived < LEAST_BYTES

    def _is_unread(self) -> bool:
        """Of what is to be sent, nothing could be since the last look."""
        return 0 < self._unsent <= self._wire.unsent
