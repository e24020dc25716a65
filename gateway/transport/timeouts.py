"""Timeouts of an exchange, in seconds: of each step, or until one deadline."""

import asyncio
from dataclasses import dataclass
from typing import Protocol, Self

import httpx


class ConnectTimeouts(Protocol):
    """Seconds to wait for a connection, counted from now; None waits without limit."""

    @property
    def pool(self) -> float | None:
        """Until the pool has a free connection."""

    @property
    def connect(self) -> float | None:
        """Until a new connection is open, TLS handshake included."""


class Timeouts(ConnectTimeouts, Protocol):
    """Adds the timeouts on an open connection; each write and each read starts anew."""

    @property
    def write(self) -> float | None:
        """Until the write buffer has room."""

    @property
    def read(self) -> float | None:
        """Until the head of the response, or the next piece of its body, has arrived."""


@dataclass(frozen=True, slots=True)
class RequestTimeouts:
    """The timeouts of an httpx request; every wait of a kind has the same one."""

    connect: float | None = None
    read: float | None = None
    write: float | None = None
    pool: float | None = None

    @classmethod
    def from_request(cls, request: httpx.Request) -> Self:
        """Return the timeouts that httpx has put into the request's extensions."""
        return cls(**request.extensions.get("timeout", {}))


class DeadlineTimeouts:
    """The time that is left until one deadline on the loop's clock, shared by all waits."""

    __slots__ = ("_connect", "_ends_at", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, ends_at: float, connect: float) -> None:
        self._loop = loop
        self._ends_at = ends_at
        self._connect = connect

    @property
    def pool(self) -> float:
        """The time that is left, in seconds."""
        return max(0.0, self._ends_at - self._loop.time())

    @property
    def connect(self) -> float:
        """The time that is left, but at most the connect timeout."""
        return min(self._connect, self.pool)
