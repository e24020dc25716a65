"""The adapter to uvicorn: the only file of the server that uses uvicorn's undocumented names.

Each name has a test in `tests/gateway/server/test_uvicorn_internals.py` that says what breaks
without it. `pyproject.toml` bounds the version of uvicorn for the same reason.
"""

import asyncio
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from gateway.background_tasks import log_failure

__all__ = ["ServerState", "UvicornRunner", "describe_connection"]


def describe_connection(transport: asyncio.Transport) -> dict[str, Any]:
    """Return the members of an ASGI scope that are the same for each request on a connection."""
    return {
        "server": get_local_addr(transport),
        "client": get_remote_addr(transport),
        "scheme": "https" if is_ssl(transport) else "http",
    }


class UvicornRunner:
    """Runs uvicorn in the current event loop, by the steps of `uvicorn.Server.serve`.

    The step that installs signal handlers is left out: the command handles signals, because it has
    more to close than this server.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        self._listener = listener
        self._server = uvicorn.Server(config)
        self._main_loop: asyncio.Task[None] | None = None

    @property
    def state(self) -> ServerState:
        """The open connections and the running requests."""
        return self._server.server_state

    async def start(self) -> None:
        """Accept connections."""
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[self._listener])
        # It renews the Date header every second.
        self._main_loop = asyncio.create_task(self._server.main_loop(), name="uvicorn main loop")
        self._main_loop.add_done_callback(log_failure)

    async def stop(self) -> None:
        """Stop accepting, shut connections down, and wait for requests in flight.

        Requests that take longer than `config.timeout_graceful_shutdown` are cancelled.
        """
        self._server.should_exit = True
        if self._main_loop is not None:
            await self._main_loop
        await self._server.shutdown(sockets=[self._listener])
