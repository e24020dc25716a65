"""The interface between a connection and the streamed exchange on it."""

from typing import Protocol

from gateway.transport.raw_response import Outcome


class ExchangeHandler(Protocol):
    """The streamed exchange in flight on a connection: an `Exchange`."""

    def on_simple_response(self, response: Outcome, is_retryable: bool) -> None:
        """Take a whole response; the connection has been released, and may be in use again."""

    def on_event(self) -> None:
        """Look again: data has arrived, the write buffer has room, or the connection has ended."""

    def on_deadline(self) -> None:
        """End the exchange, unless its deadline has been set anew."""
