"""The HTTP protocol of the demo services: uvicorn's own, with the connection in the ASGI scope.

ASGI cannot break off a response, which is what the injected faults do. This file is the demo's own
adapter to uvicorn, apart from `gateway/server/uvicorn_internals.py`: the services stand for other
people's servers, and the public port never runs this protocol.
"""

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_EXTENSION = "lockgate.demo"
_NO_LINGER = struct.pack("ii", 1, 0)


class DemoProtocol(HttpToolsProtocol):
    """uvicorn's protocol; the scope of each request carries the connection it came on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **kwargs)
        self.access_log = False

    def on_message_begin(self) -> None:
        """Begin a request, as uvicorn does, and lay the connection into its scope."""
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {"connection": self.transport}}


def close(scope: Scope) -> None:
    """Send what was written, then end the connection (FIN)."""
    _connection(scope).close()


def reset(scope: Scope) -> None:
    """End the connection at once, as a crashed process does (RST)."""
    connection = _connection(scope)
    connected: socket.socket = connection.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    connection.abort()


def _connection(scope: Scope) -> asyncio.Transport:
    connection: asyncio.Transport = scope["extensions"][_EXTENSION]["connection"]
    return connection
