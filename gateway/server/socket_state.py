"""What the kernel knows about a connection: data to read, and data the client has not received."""

import asyncio
import fcntl
import select
import struct
import termios
from typing import Protocol


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


def count_bytes_in_kernel(transport: asyncio.BaseTransport) -> int:
    """Count the bytes that were sent and that the client has not acknowledged (tcp(7), SIOCOUTQ).

    The send buffer of the kernel holds megabytes. Without it, a client that reads slowly looks like
    one that does not read at all.
    """
    connection = transport.get_extra_info("socket")
    if connection is None:
        return 0
    try:
        queued = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    except (OSError, ValueError):
        return 0
    return int(struct.unpack("i", queued)[0])
