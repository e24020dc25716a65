"""Reads the data of a closed connection that the event loop has not read.

A server may respond early, as with 413, and close the connection at once. The next write then
fails. The event loop ends the connection on that error, and would lose the response.
"""

import asyncio
import os
import socket
from contextlib import suppress

MAX_BYTES = 262_144


def read_unread_data(transport: asyncio.BaseTransport) -> bytes:
    """Read what the kernel still holds of a connection without TLS, at most MAX_BYTES.

    Call it in `connection_lost`, before the transport closes its socket.
    """
    connection = transport.get_extra_info("socket")
    if connection is None or transport.get_extra_info("ssl_object") is not None:
        return b""
    data = bytearray()
    # The end, a reset, or nothing more to read ends the loop.
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as copy:
        copy.setblocking(False)
        while len(data) < MAX_BYTES and (piece := copy.recv(65_536)):
            data += piece
    return bytes(data)
