"""The open connections by what the server waits for: their timeouts, and which one gives way."""

import asyncio
import enum
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from gateway.server.paused_connection_watch import PausedConnectionWatch

SWEEP_SECONDS = 1.0
"""Seconds between two looks at the queues: a timeout takes effect so much later at most."""

LINGER_SECONDS = 30.0
"""Seconds in which a client must close a connection whose last response has been sent."""

MAX_CANDIDATES = 8
"""Connections that are considered before one in use is closed to make room."""

MIN_SILENT_SECONDS = 0.1
"""Seconds that a client has at least to send its request, however many others connect."""


class Room(enum.Enum):
    """Whether a connection could be closed to make room for another."""

    MADE = "made"
    SOON = "soon"  # those without a request in flight have been open for too short a time
    NONE = "none"  # all have a request in flight


class ClientConnection(Protocol):
    """A connection as the queues see it."""

    def has_unread_data(self) -> bool:
        """Whether something has just arrived, and the server has not read it yet."""

    def expire_idle(self) -> None:
        """End the connection: no request has begun in time."""

    def expire_head(self) -> None:
        """Refuse the request: its head did not arrive in time."""

    def expire_closing(self) -> None:
        """Reset the connection: the client did not close it in time."""

    def check_body(self, seconds: float) -> None:
        """Refuse the request if too little of its body has arrived in the last `seconds`."""

    def check_reader(self, seconds: float) -> None:
        """Reset the connection if the client has read too little in the last `seconds`."""

    def abort(self) -> None:
        """Close the connection at once."""


class WaitingQueue:
    """Connections in the order in which the server began to wait for their clients.

    All have the same timeout, so that the first to enter is the first to expire, and each event
    costs the same however many connections there are.
    """

    __slots__ = ("_since", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since: dict[ClientConnection, float] = {}

    def __len__(self) -> int:
        return len(self._since)

    def add(self, connection: ClientConnection, now: float) -> None:
        """Put a connection at the end."""
        self._since.pop(connection, None)
        self._since[connection] = now

    def discard(self, connection: ClientConnection) -> None:
        """Remove a connection, if it is there."""
        self._since.pop(connection, None)

    def find_oldest(self) -> tuple[float, ClientConnection] | None:
        """Return the first connection, after the time at which it entered."""
        return next(((since, connection) for connection, since in self._since.items()), None)

    def pop_expired(self, now: float) -> list[ClientConnection]:
        """Remove and return the connections that entered `seconds` ago or earlier."""
        expired = list(takewhile(lambda one: self._since[one] + self.seconds <= now, self._since))
        for connection in expired:
            del self._since[connection]
        return expired


@dataclass(frozen=True, slots=True)
class ClientTimeouts:
    """The seconds that a client may take: `server.idle_seconds` and its siblings."""

    idle: float = 75.0
    head: float = 15.0
    stall: float = 30.0


class OpenConnections:
    """The connections of a server, and what it waits for on each of them.

    `opening` holds the accepted ones that the event loop has not connected yet; `count` counts the
    others. `paused_connections` watches those that are not read from.

    A connection without a request in flight is in one of the queues `new` (it has had no request),
    `idle`, `heads` (a head has begun) and `closing` (its last response has been sent). One with a
    request in flight is in none of these; it is in `bodies` while its body is incomplete, and in
    `readers` while the client reads slower than the app sends.
    """

    def __init__(self, timeouts: ClientTimeouts, max_connections: int) -> None:
        self.max_connections = max_connections
        self.is_draining = False
        self.opening: set[asyncio.Protocol] = set()
        self.count = 0
        self.new = WaitingQueue(timeouts.idle)
        self.idle = WaitingQueue(timeouts.idle)
        self.heads = WaitingQueue(timeouts.head)
        self.closing = WaitingQueue(LINGER_SECONDS)
        self.bodies = WaitingQueue(timeouts.stall)
        self.readers = WaitingQueue(timeouts.stall)
        self.paused_connections = PausedConnectionWatch()
        self._without_use = (self.new, self.heads, self.closing)
        self._silent = (*self._without_use, self.idle)
        shortest = min(timeouts.idle, timeouts.head, timeouts.stall)
        self._sweep_seconds = min(SWEEP_SECONDS, shortest / 4)
        self._next_sweep: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Apply the timeouts from now on."""
        self._next_sweep = loop.call_later(self._sweep_seconds, self._sweep, loop)

    def stop(self) -> None:
        """Apply no more timeouts."""
        if self._next_sweep is not None:
            self._next_sweep.cancel()

    def remove(self, connection: ClientConnection) -> None:
        """Forget a connection that is closed."""
        for queue in (*self._silent, self.bodies, self.readers):
            queue.discard(connection)

    def make_room(self, now: float) -> Room:
        """Close the connection that has had no request in flight for the longest time.

        While more than half of the connections have had no request yet, or no complete one, it is
        the longest silent of these: a flood of new connections leaves half of them to the clients.
        """
        without_use = len(self.opening) + sum(map(len, self._without_use))
        is_flood = without_use > self.max_connections // 2
        for _ in range(MAX_CANDIDATES):
            entries = [
                (oldest, queue)
                for queue in (self._without_use if is_flood else self._silent)
                if (oldest := queue.find_oldest())
            ]
            if not entries:
                return Room.SOON if self.opening else Room.NONE
            (since, connection), queue = min(entries, key=lambda entry: entry[0][0])
            if since + MIN_SILENT_SECONDS > now:
                return Room.SOON
            if queue is self.heads or not connection.has_unread_data():
                self.remove(connection)
                connection.abort()
                return Room.MADE
            queue.add(connection, now)
        return Room.SOON

    def expire(self, now: float) -> None:
        """Apply the timeouts that have passed at `now`, in the time of the event loop."""
        for connection in (*self.new.pop_expired(now), *self.idle.pop_expired(now)):
            connection.expire_idle()
        for connection in self.heads.pop_expired(now):
            connection.expire_head()
        for connection in self.closing.pop_expired(now):
            connection.expire_closing()
        for connection in self.bodies.pop_expired(now):
            connection.check_body(self.bodies.seconds)
        for connection in self.readers.pop_expired(now):
            connection.check_reader(self.readers.seconds)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self.start(loop)
        self.expire(loop.time())
