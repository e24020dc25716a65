"""The send buffer of the kernel, which holds megabytes that the event loop no longer counts."""

import asyncio
import fcntl
import struct
import termios


def count_bytes_in_kernel(transport: asyncio.BaseTransport) -> int:
    """Count the bytes that were sent and that the peer has not acknowledged (tcp(7), SIOCOUTQ).

    Without them, a peer that reads slowly looks like one that does not read at all.
    """
    connection = transport.get_extra_info("socket")
    if connection is None:
        return 0
    try:
        queued = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    except (OSError, ValueError):
        return 0
    return int(struct.unpack("i", queued)[0])
