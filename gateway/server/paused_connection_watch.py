"""Notices that a client has gone while the server does not read from its connection.

The event loop reports the end of a connection only while it reads. A connection whose app takes the
body slower than the client sends it is not read from, so its end would go unnoticed until the app
takes more. A client that closes while its own kernel still holds unsent data is not noticed: the
end arrives behind that data.
"""

import asyncio
import select
from typing import cast

CHECK_SECONDS = 0.1

_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR  # RDHUP: Linux


class PausedConnectionWatch:
    """Polls the connections that are not read from; without any, it costs nothing."""

    # Invariant: `_timer` is set while `_paused` is not empty, and until the check after that.

    def __init__(self) -> None:
        self._paused: set[asyncio.Transport] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, transport: asyncio.Transport) -> None:
        """Watch a connection that is not read from any more."""
        self._paused.add(transport)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(CHECK_SECONDS, self._check, loop)

    def discard(self, transport: asyncio.Transport) -> None:
        """Watch a connection no longer: it is read from, or it is closed."""
        self._paused.discard(transport)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        """Report the end of the connections whose client has gone."""
        self._timer = loop.call_later(CHECK_SECONDS, self._check, loop) if self._paused else None
        for transport in _find_hung_up(self._paused):
            self._paused.discard(transport)
            cast("asyncio.Protocol", transport.get_protocol()).eof_received()


def _find_hung_up(transports: set[asyncio.Transport]) -> list[asyncio.Transport]:
    by_descriptor: dict[int, asyncio.Transport] = {}
    poll = select.poll()
    for transport in transports:
        connection = transport.get_extra_info("socket")
        descriptor = -1 if connection is None else connection.fileno()
        if descriptor >= 0:
            by_descriptor[descriptor] = transport
            poll.register(descriptor, _HUNG_UP)
    return [by_descriptor[descriptor] for descriptor, events in poll.poll(0) if events & _HUNG_UP]
