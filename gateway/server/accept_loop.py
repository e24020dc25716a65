"""Accepts connections, within the limit of connections and the limit of open files."""

import asyncio
import errno
import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable
from logging import ERROR, WARNING, getLogger
from typing import TypeAlias

from gateway.server.connections import OpenConnections, Room
from gateway.server.file_limit import get_file_limit
from gateway.server.socket_state import is_readable
from gateway.telemetry.log import log_event

ACCEPTS_PER_TURN = 32
"""Connections to accept in one turn of the event loop.

One that gives way frees its descriptor in the next turn, so this many are in use above the limit.
"""

RESERVED_CONNECTIONS = 16
"""Connections above the limit while each of the others has a request in flight: for probes."""

PAUSE_SECONDS = 0.02
"""A pause after which accepting is tried again, when there is no room or no descriptor."""

LOG_SECONDS = 10.0
"""The least time between two lines of the log about the same."""

_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Address: TypeAlias = tuple[str, int]
ProtocolFactory: TypeAlias = Callable[[Address, bool], asyncio.Protocol]

log = getLogger("lockgate.server")


class AcceptLoop:
    """Accepts connections on a listening socket, and creates a protocol for each.

    At the limit, the connection that has been silent for the longest time is closed for the new
    one. If all have a request in flight, a few more are accepted, as reserved ones: they serve
    probes, and refuse other requests. Beyond that, connections wait in the backlog of the kernel.

    Invariant: a failure to accept never ends the loop.
    """

    def __init__(
        self,
        listener: socket.socket,
        connections: OpenConnections,
        create_protocol: ProtocolFactory,
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._create_protocol = create_protocol
        self._loop: AbstractEventLoop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._logged_at: dict[str, float] = {}

    def start(self) -> None:
        """Accept connections from now on."""
        self._pause = None
        self._loop.add_reader(self._listener, self._accept_waiting)

    def stop(self) -> None:
        """Accept no more connections, and close the listening socket."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept_waiting(self) -> None:
        """Accept some of the connections that wait in the backlog."""
        for _ in range(ACCEPTS_PER_TURN):
            room = self._make_room()
            if room is None:
                return
            if room is Room.SOON:
                self._wait_a_moment()
                return
            try:
                client, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                # Any other error is about one connection, which its client has reset (accept(2)).
                if error.errno in _OUT_OF_RESOURCES:
                    self._report_resources(error)
                    return
                continue
            self._open(client, address, is_reserved=room is Room.NONE)

    def _make_room(self) -> Room | None:
        """Make room for one connection; return None if, at the limit, none waits in the backlog.

        Room.NONE means that there is room in the reserve alone.
        """
        connections = self._connections
        count = connections.count + len(connections.opening)
        if count < connections.max_connections:
            return Room.MADE
        if not is_readable(self._listener):
            return None
        if self._is_due("limited"):
            limit = connections.max_connections
            log_event(log, "server.connections_limited", WARNING, max_connections=limit)
        room = connections.make_room(self._loop.time())
        if room is Room.NONE and count >= connections.max_connections + RESERVED_CONNECTIONS:
            return Room.SOON
        return room

    def _open(self, client: socket.socket, address: Address, *, is_reserved: bool) -> None:
        client.setblocking(False)
        protocol = self._create_protocol(_normalize_address(address), is_reserved)
        self._connections.opening.add(protocol)
        task = self._loop.create_task(self._connect(client, protocol))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, client: socket.socket, protocol: asyncio.Protocol) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, client)
        except OSError:  # the client has reset the connection meanwhile
            client.close()
        finally:
            self._connections.opening.discard(protocol)

    def _report_resources(self, error: OSError) -> None:
        """Log that the process or the system is out of descriptors or memory, and try later."""
        self._connections.make_room(self._loop.time())
        if self._is_due("failed"):
            log_event(
                log,
                "server.accept_failed",
                ERROR,
                reason=f"{errno.errorcode[error.errno or 0]}: {error.strerror}",
                connections=self._connections.count,
                file_limit=get_file_limit(),
            )
        self._wait_a_moment()

    def _wait_a_moment(self) -> None:
        """Accept nothing for PAUSE_SECONDS; the event loop would report the socket all the time."""
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(PAUSE_SECONDS, self.start)

    def _is_due(self, topic: str) -> bool:
        """Whether to log about this topic again: once in LOG_SECONDS."""
        now = self._loop.time()
        is_due = now >= self._logged_at.get(topic, -LOG_SECONDS) + LOG_SECONDS
        if is_due:
            self._logged_at[topic] = now
        return is_due


def _normalize_address(address: Address) -> Address:
    """Return an IPv4 address that a dual-stack socket reports as IPv6 as the IPv4 address."""
    host, port = address[:2]
    if host.startswith("::ffff:"):
        return host.removeprefix("::ffff:"), port
    return host, port
