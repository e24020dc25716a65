"""The adapter to uvicorn: the only file of the server that uses uvicorn's undocumented names.

Each name has a test in `tests/gateway/server/test_uvicorn_internals.py` that says what breaks
without it. `pyproject.toml` bounds the version of uvicorn for the same reason.
"""

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from gateway.background_tasks import log_failure

__all__ = ["ServerState", "UvicornRunner", "describe_connection"]


def describe_connection(
    transport: asyncio.Transport, client: tuple[str, int] | None = None
) -> dict[str, Any]:
    """Return the members of an ASGI scope that are the same for each request on a connection.

    `client` is the address of the client, if it is known: it cannot be asked for any more once the
    client has closed the connection.
    """
    return {
        "server": get_local_addr(transport),
        "client": client or get_remote_addr(transport),
        "scheme": "https" if is_ssl(transport) else "http",
    }


class UvicornRunner:
    """Runs uvicorn in the current event loop, by the steps of `uvicorn.Server.serve`.

    Two steps are left out. The command handles signals, because it has more to close than this
    server. `AcceptLoop` accepts connections, because it limits their number.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        self._server = uvicorn.Server(config)
        self._main_loop: asyncio.Task[None] | None = None

    @property
    def state(self) -> ServerState:
        """The open connections and the running requests."""
        return self._server.server_state

    async def start(self) -> None:
        """Get ready for connections."""
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[])
        # It renews the Date header every second.
        self._main_loop = asyncio.create_task(self._server.main_loop(), name="uvicorn main loop")
        self._main_loop.add_done_callback(log_failure)

    async def stop(self, seconds: float) -> None:
        """Shut connections down, and wait for requests in flight, for `seconds` at most.

        Raises:
            TimeoutError: some of them are still open.
        """
        self._server.should_exit = True
        if self._main_loop is not None:
            await self._main_loop
        async with asyncio.timeout(seconds):
            await self._server.shutdown(sockets=[])
