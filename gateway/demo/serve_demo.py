"""The demo services on real sockets, inside the running event loop."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.demo.dials import ServiceWithDials
from gateway.demo.identity import DevelopmentIssuer
from gateway.demo.services import demo_services
from gateway.demo.uvicorn_protocol import DemoProtocol

SERVICE_PORTS: Mapping[str, int] = {
    "users": 9101,
    "orders": 9102,
    "notifications": 9103,
    "recommendations": 9104,
    "catalog": 9105,
}
PORTS: Mapping[str, int] = {"identity": 9100, **SERVICE_PORTS}
ANY_PORTS: Mapping[str, int] = dict.fromkeys(PORTS, 0)

# Longer than any client keeps an idle connection, so that it is the client who closes it.
_KEEP_ALIVE_SECONDS = 120
_SHUTDOWN_SECONDS = 2

# The usual 100 drops the connections of a burst, which then come a whole second later.
_BACKLOG = 2_048


class PortUnavailable(Exception):
    """A demo service cannot listen where it should."""

    def __init__(self, service: str, host: str, port: int, why: str) -> None:
        super().__init__(service, host, port, why)  # the arguments, so that it can be pickled
        self.service = service
        self.host = host
        self.port = port
        self.why = why

    def __str__(self) -> str:
        """One line: which service, where, and why not."""
        where = f"{self.host}:{self.port}"
        return f"the demo service {self.service!r} cannot listen on {where}: {self.why}"


@asynccontextmanager
async def serve_demo(
    *,
    latency_ms: float,
    ports: Mapping[str, int] | None = None,
    host: str = "127.0.0.1",
    issuer: DevelopmentIssuer | None = None,
) -> AsyncIterator[dict[str, str]]:
    """Serve the five services, and `issuer` as "identity"; gives the base URL of each by name.

    Port 0 takes any free one (`ANY_PORTS`); a service that `ports` leaves out has its usual one.
    On leaving, connections are cut, whatever they are waiting for.

    Raises:
        PortUnavailable: one of the ports cannot be had; nothing is left listening.
        ValueError: `ports` names a service that the demo does not have.
    """
    if unknown := set(ports or {}) - set(PORTS):
        raise ValueError(f"the demo has no service called {', '.join(sorted(unknown))}")
    services = demo_services(latency_ms)
    if issuer:
        services["identity"] = ServiceWithDials(issuer.app(), latency_ms=0)
    chosen = {**PORTS, **(ports or {})}
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(_listening(name, app, host, chosen[name]))
            for name, app in services.items()
        }


@asynccontextmanager
async def _listening(name: str, app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serve one app. uvicorn's Server is left out: it takes over signals and waits in tenths."""
    state = ServerState()
    server = await _bind(name, app, host, port, state)
    try:
        taken: int = server.sockets[0].getsockname()[1]
        yield f"http://{host}:{taken}"
    finally:
        server.close()
        await _end(state)
        with suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), _SHUTDOWN_SECONDS)


async def _bind(
    name: str, app: ASGIApp, host: str, port: int, state: ServerState
) -> asyncio.Server:
    config = Config(
        app, http=DemoProtocol, ws="none", lifespan="off", interface="asgi3",
        log_config=None, proxy_headers=False, timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )  # fmt: skip
    config.load()

    def protocol() -> DemoProtocol:
        return DemoProtocol(config, state, app_state={})

    try:
        return await asyncio.get_running_loop().create_server(
            protocol, host, port, backlog=_BACKLOG
        )
    except OSError as exc:
        raise PortUnavailable(name, host, port, exc.strerror or str(exc)) from exc


async def _end(state: ServerState) -> None:
    """Cut every connection, which ends its request; what does not end by itself is cancelled."""
    for connection in list(state.connections):
        connection.transport.abort()
    await asyncio.sleep(0)  # the turn in which connections learn that they are lost
    if not state.tasks:
        return
    _, unfinished = await asyncio.wait(set(state.tasks), timeout=_SHUTDOWN_SECONDS)
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*unfinished, return_exceptions=True)
