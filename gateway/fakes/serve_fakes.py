"""Serves fake services on real sockets, in the running event loop."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.util import find_spec

from starlette.types import ASGIApp
from uvicorn.config import Config, WSProtocolType
from uvicorn.server import ServerState

from gateway.background_tasks import cancel_and_wait
from gateway.fakes.uvicorn_protocol import FakeProtocol
from gateway.startup_error import StartupError

# Longer than any client keeps an idle connection, so that the client closes it, not the service.
_KEEP_ALIVE_SECONDS = 120
_SHUTDOWN_SECONDS = 2

# Fakes serve WebSockets if the library is installed, which only a few of them need.
_WEBSOCKETS: WSProtocolType = "websockets-sansio" if find_spec("websockets") else "none"

# With the usual backlog of 100 a burst of connections overflows it, and TCP retries after 1 s.
_BACKLOG = 2_048


class PortUnavailable(StartupError):
    """A fake service cannot listen on its port."""

    def __init__(self, service: str, host: str, port: int, reason: str) -> None:
        super().__init__(service, host, port, reason)  # pickle needs the arguments
        self.service = service
        self.host = host
        self.port = port
        self.reason = reason

    def __str__(self) -> str:
        """Format as one line: the service, its address, and the reason."""
        address = f"{self.host}:{self.port}"
        return (
            f"the fake service {self.service!r} cannot listen on {address}: {self.reason}; use "
            f"--any-ports, or --real {self.service} if the service itself listens there"
        )


@asynccontextmanager
async def serve_fakes(
    apps: Mapping[str, ASGIApp], *, ports: Mapping[str, int], host: str = "127.0.0.1"
) -> AsyncIterator[dict[str, str]]:
    """Serve each app on a port of its own; yields the base URL of each by name.

    An app that `ports` omits listens on any free port, as port 0 does. When the block ends, open
    connections are aborted.

    Raises:
        PortUnavailable: an app cannot listen on its port; the others are stopped again.
    """
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(_serve_app(name, app, host, ports.get(name, 0)))
            for name, app in apps.items()
        }


@asynccontextmanager
async def _serve_app(name: str, app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serve one app, without uvicorn's Server: it handles signals and polls every 0.1 s."""
    state = ServerState()
    server = await _bind(name, app, host, port, state)
    try:
        bound_port: int = server.sockets[0].getsockname()[1]
        yield f"http://{host}:{bound_port}"
    finally:
        server.close()
        await _close_connections(state)
        with suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), _SHUTDOWN_SECONDS)


async def _bind(
    name: str, app: ASGIApp, host: str, port: int, state: ServerState
) -> asyncio.Server:
    config = Config(
        app, http=FakeProtocol, ws=_WEBSOCKETS, lifespan="off", interface="asgi3",
        log_config=None, proxy_headers=False, timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )  # fmt: skip
    config.load()

    def create_protocol() -> FakeProtocol:
        return FakeProtocol(config, state, app_state={})

    try:
        return await asyncio.get_running_loop().create_server(
            create_protocol, host, port, backlog=_BACKLOG
        )
    except OSError as exc:
        raise PortUnavailable(name, host, port, exc.strerror or str(exc)) from exc


async def _close_connections(state: ServerState) -> None:
    """Abort every connection, which ends its request; cancel the requests that do not end."""
    for connection in list(state.connections):
        connection.transport.abort()
    await asyncio.sleep(0)  # the loop calls connection_lost in this turn
    if not state.tasks:
        return
    _, unfinished = await asyncio.wait(set(state.tasks), timeout=_SHUTDOWN_SECONDS)
    await cancel_and_wait(*unfinished)
