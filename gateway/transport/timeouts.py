"""How long each step of an exchange may take."""

import asyncio
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import httpx

T = TypeVar("T")

GRACE_SECONDS = 0.001


class ConnectTimeouts(Protocol):
    """Seconds for each kind of wait for a connection that begins now; None waits for ever."""

    @property
    def pool(self) -> float | None:
        """For a connection to become free."""

    @property
    def connect(self) -> float | None:
        """For a connection to be opened, handshake included."""


class Timeouts(ConnectTimeouts, Protocol):
    """And for each kind of wait on a connection."""

    @property
    def write(self) -> float | None:
        """For the server to read on."""

    @property
    def read(self) -> float | None:
        """For what is read next: the head, or a piece of the body."""


@dataclass(frozen=True, slots=True)
class RequestTimeouts:
    """The same for every wait of a kind."""

    connect: float | None = None
    read: float | None = None
    write: float | None = None
    pool: float | None = None

    @classmethod
    def from_request(cls, request: httpx.Request) -> Self:
        """What httpx put into the request's extensions."""
        return cls(**request.extensions.get("timeout", {}))


class DeadlineTimeouts:
    """What is left for a connection until one moment on the loop's clock."""

    __slots__ = ("_connect", "_ends_at", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, ends_at: float, connect: float) -> None:
        self._loop = loop
        self._ends_at = ends_at
        self._connect = connect

    @property
    def pool(self) -> float:
        """All that is left."""
        return max(0.0, self._ends_at - self._loop.time())

    @property
    def connect(self) -> float:
        """All that is left, but no more than a connection may take."""
        return min(self._connect, self.pool)


def expire(waiter: asyncio.Future[T], error: type[httpx.TimeoutException]) -> None:
    """End a wait, for a timer: unless what it is for has arrived meanwhile.

    When the loop was busy for longer than the wait, the timer fires although the answer may be
    in the socket's buffer. So it is given once more the time in which the loop reads that.
    """
    if not waiter.done():
        waiter.get_loop().call_later(GRACE_SECONDS, _give_up, waiter, error)


def _give_up(waiter: asyncio.Future[T], error: type[httpx.TimeoutException]) -> None:
    if not waiter.done():
        waiter.set_exception(error("not in time"))
