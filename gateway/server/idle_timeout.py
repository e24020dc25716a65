"""The idle timeout of a connection: it disconnects clients that neither send nor read."""

import asyncio
from collections.abc import Callable

from gateway.server.flow_control import FlowControl

CHECK_SECONDS = 15.0
MIN_BYTES = 1_024


class IdleTimeout:
    """Checks a connection every `CHECK_SECONDS`, and aborts it at the second idle check in a row.

    While the server awaits the client, the client has to complete a request or to send `MIN_BYTES`
    between two checks. While a response is sent, the client has to read some of it.

    The protocol adds to `bytes_received`, and sets `has_progressed` when a request or a response
    is complete or the send buffer has room again. A check resets both.
    """

    __slots__ = (
        "_flow",
        "_idle_checks",
        "_is_awaiting_client",
        "_loop",
        "_next_check",
        "_unsent_bytes",
        "bytes_received",
        "has_progressed",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        flow: FlowControl,
        is_awaiting_client: Callable[[], bool],
    ) -> None:
        self.bytes_received = 0
        self.has_progressed = True
        self._loop = loop
        self._flow = flow
        self._is_awaiting_client = is_awaiting_client
        self._unsent_bytes = self._idle_checks = 0
        self._next_check = loop.call_later(CHECK_SECONDS, self._check)

    def cancel(self) -> None:
        """Stop checking."""
        self._next_check.cancel()
        # Break the reference cycle with the protocol, so that it needs no garbage collection.
        self._is_awaiting_client = bool

    def _check(self) -> None:
        is_idle = not self.has_progressed and (self._is_not_sending() or self._is_not_reading())
        self._idle_checks = self._idle_checks + 1 if is_idle else 0
        if self._idle_checks > 1:
            self._flow.abort()
            return
        self._unsent_bytes = self._flow.unsent_bytes
        self.bytes_received, self.has_progressed = 0, False
        self._next_check = self._loop.call_later(CHECK_SECONDS, self._check)

    def _is_not_sending(self) -> bool:
        """Whether the client should send, or close its side, and has hardly sent anything."""
        if self._flow.is_half_closed:
            return not self._flow.unsent_bytes
        return (
            self._is_awaiting_client() and self._flow.is_reading and self.bytes_received < MIN_BYTES
        )

    def _is_not_reading(self) -> bool:
        """Whether the send buffer has not shrunk since the last check."""
        return 0 < self._unsent_bytes <= self._flow.unsent_bytes
