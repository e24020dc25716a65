"""A service behind proxied routes: one request to it, and its response, both streamed.

There are two implementations. `DirectUpstream` (`direct_upstream.py`) uses the connections of the
gateway's transport. `HttpxUpstream` (`httpx_upstream.py`) works over any httpx transport. Callers
must see the same: `tests/gateway/proxy/upstream/test_proxy_upstream.py` compares them.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.http1_grammar import FieldList, Fields
from gateway.proxy.upstream.upload import Upload

OnInterim = Callable[[int, FieldList], Awaitable[None]]
"""Passes an interim response (1xx) on to the caller."""


@dataclass(slots=True)
class ServiceRequest:
    """A request to a service: its fields without those that frame the body, and its body.

    `timeout` bounds the wait for the head of the response, without the time that the caller needs
    to send its body. `idle_timeout` bounds the time in which no byte arrives from either side. Both
    are in seconds. `accepts_trailers` sends `TE: trailers`.
    """

    method: str
    target: bytes
    fields: Fields
    upload: Upload | None
    timeout: float
    idle_timeout: float
    accepts_trailers: bool = False
    on_interim: OnInterim | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of it can be sent at once: it has no body, or the body has arrived."""
        return self.upload is None or self.upload.content is not None


class ServiceResponse(ABC):
    """The head of a response, and its body: whole, or to be received piece by piece.

    `body` is the whole body if it has arrived with the head; otherwise None, and `receive` returns
    it. `aclose` ends the exchange in any case.
    """

    status: int
    fields: Fields
    body: bytes | None
    trailers: FieldList
    is_complete: bool

    @abstractmethod
    async def receive(self) -> bytes | None:
        """Return the next piece of the body; None at its end.

        `is_complete` is true after the last piece, if that is known by then.

        Raises:
            httpx.TransportError: the connection ended first, or was idle for too long.
            BodyNotRead, BodyTimeout: as `ProxyUpstream.send`.
        """

    @abstractmethod
    def detach(self) -> None:
        """Let the exchange not count against `max_connections`: it has become a stream."""

    @abstractmethod
    async def aclose(self) -> None:
        """End the exchange; a body that has not been received whole closes the connection."""


class ProxyUpstream(ABC):
    """Sends the requests of proxied routes to one service."""

    @abstractmethod
    async def send(self, request: ServiceRequest) -> ServiceResponse:
        """Send a request and wait for the head of its response.

        The upload goes on while the response is received, until that is complete or closed. If the
        response has a Content-Length, it is one number of at most MAX_LENGTH_DIGITS digits.

        Raises:
            httpx.TransportError, TimeoutError: there is no response, or it is malformed.
            BodyNotRead: the service reads nothing of the body for `idle_timeout`.
            BodyTimeout: the caller sends nothing of its body for `idle_timeout`.
            Exception: any error of the upload.
        """
