"""The kernel's side of a connection: data to read, and its reset."""

import asyncio
import select
import socket
import struct
from contextlib import suppress
from typing import Protocol

_DROP_AT_ONCE = struct.pack("ii", 1, 0)  # struct linger: on, and for 0 seconds


class SupportsFileno(Protocol):
    """A socket, or the view of a socket that a transport gives."""

    def fileno(self) -> int:
        """Return the descriptor, or -1 if the socket is closed."""


def has_data_to_read(transport: asyncio.BaseTransport) -> bool:
    """Whether data, or the end, has arrived that the event loop has not delivered yet."""
    connection = transport.get_extra_info("socket")
    return connection is not None and is_readable(connection)


def is_readable(source: SupportsFileno) -> bool:
    """Whether a socket has something to read; for a listening socket, a connection to accept."""
    poll = select.poll()
    try:
        poll.register(source.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    except (OSError, ValueError):  # it has just been closed
        return False


def reset_on_close(transport: asyncio.BaseTransport) -> None:
    """Let the close of the socket reset the connection, and drop what the kernel holds for it.

    Without SO_LINGER, the kernel would go on to send its buffer of megabytes, and then the end of
    the stream: to the client, a truncated response might look complete (socket(7)).
    """
    connection = transport.get_extra_info("socket")
    if connection is None:
        return
    with suppress(OSError):  # it has just been closed
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP_AT_ONCE)
