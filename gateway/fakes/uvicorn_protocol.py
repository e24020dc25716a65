"""The HTTP protocol of the fake services: uvicorn's own, with the connection in the ASGI scope.

ASGI cannot cut a response off, which the injected faults do. This file is the fakes' own adapter to
uvicorn, apart from `gateway/server/uvicorn_internals.py`: the services stand for servers of other
people, and the public port never runs this protocol.
"""

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_EXTENSION = "lockgate.fakes"
_NO_LINGER = struct.pack("ii", 1, 0)  # close() sends RST instead of FIN


class FakeProtocol(HttpToolsProtocol):
    """uvicorn's protocol; the scope of each request carries its connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self.access_log = False

    def on_message_begin(self) -> None:
        """Begin a request as uvicorn does, and put the connection into its scope."""
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {"connection": self.transport}}


def close_connection(scope: Scope) -> None:
    """Send the data already written, then close the connection (FIN)."""
    _get_connection(scope).close()


def reset_connection(scope: Scope) -> None:
    """Reset the connection at once (RST), as a crashed process does."""
    connection = _get_connection(scope)
    sock: socket.socket = connection.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    connection.abort()


def _get_connection(scope: Scope) -> asyncio.Transport:
    connection: asyncio.Transport = scope["extensions"][_EXTENSION]["connection"]
    return connection
