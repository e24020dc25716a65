"""Starts the server on a real socket, and stops it without losing a request in flight."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from logging import WARNING, getLogger
from socket import socket
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from gateway.request_context import IS_DRAINING, IS_OVER_CONNECTION_LIMIT, SHUTDOWN_NOTICE
from gateway.server.accept_loop import AcceptLoop, Address
from gateway.server.connections import ClientTimeouts, OpenConnections
from gateway.server.file_limit import choose_max_connections, get_file_limit
from gateway.server.listener import open_listener
from gateway.server.protocol import HttpProtocol
from gateway.server.shutdown_notice import ShutdownNotice
from gateway.server.uvicorn_internals import ServerState, UvicornRunner
from gateway.settings.schema import Server
from gateway.telemetry.log import log_event
from gateway.wait_report import report_wait

CANCELLATION_GRACE_SECONDS = 1.0  # for requests that were cancelled to run their cleanup

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}

log = getLogger("lockgate.server")


class RunningServer:
    """A server that accepts connections."""

    def __init__(self, app: FastAPI, settings: Server, listener: socket) -> None:
        timeouts = ClientTimeouts(
            settings.idle_seconds, settings.head_seconds, settings.stall_seconds
        )
        self.url = _format_url(*listener.getsockname()[:2])
        self.max_connections = _limit_connections(settings.max_connections)
        self.connections = OpenConnections(timeouts, self.max_connections)
        self._shutdown_seconds = settings.shutdown_seconds
        self._config = _create_config(app)
        self._runner = UvicornRunner(self._config)
        self._notice = ShutdownNotice()
        self._app_state: dict[str, Any] = {SHUTDOWN_NOTICE: self._notice}
        self._accept_loop = AcceptLoop(listener, self.connections, self._create_protocol)

    async def start(self) -> None:
        """Accept connections."""
        await self._runner.start()
        self.connections.start(asyncio.get_running_loop())
        self._accept_loop.start()

    async def drain(self, seconds: float) -> None:
        """Serve for `seconds` as before, while load balancers and clients move on.

        The readiness probe fails from now on, and each response closes its connection. Event
        streams and WebSockets are ended one by one in the second half: their clients connect again,
        not all at once, and by then to another process.
        """
        self.connections.is_draining = True
        self._app_state[IS_DRAINING] = True
        await asyncio.sleep(seconds / 2)
        await self._notice.give_gradually(seconds / 2)

    async def stop(self) -> None:
        """Stop accepting, and give requests in flight `shutdown_seconds` to complete."""
        self._accept_loop.stop()
        self._notice.give()
        with report_wait("shutdown.waiting", "requests in flight"):
            try:
                await self._runner.stop(self._shutdown_seconds)
            except TimeoutError:
                self._cancel_requests()
            self.connections.stop()
            await _abort_remaining(self._runner.state)

    def _cancel_requests(self) -> None:
        """Cancel the requests that are still in flight, and log how many."""
        state = self._runner.state
        if state.tasks:
            log_event(
                log,
                "server.requests_cancelled",
                WARNING,
                count=len(state.tasks),
                shutdown_seconds=self._shutdown_seconds,
            )
        for connection in state.connections.copy():
            cast("HttpProtocol", connection).cancel_request()
        for task in state.tasks.copy():
            if not task.cancelling():
                task.cancel()

    def _create_protocol(self, client: Address, is_reserved: bool) -> HttpProtocol:
        state = self._app_state
        if is_reserved:
            state = {**state, IS_OVER_CONNECTION_LIMIT: True}
        return HttpProtocol(
            self._config,
            self._runner.state,
            state,
            self.connections,
            client=client,
            is_reserved=is_reserved,
        )


@asynccontextmanager
async def open_server(
    app: FastAPI, settings: Server, section: str = "server"
) -> AsyncIterator[RunningServer]:
    """Serve `app` for the length of the block; port 0 takes a free port.

    On leaving, no new request is accepted, and requests in flight get `shutdown_seconds` to
    complete before they are cancelled. `section` is that of the settings that have host and port.

    Raises:
        InvalidSettings: the host is not an address of this machine.
        AddressUnavailable: the server cannot listen on the port.
    """
    with open_listener(settings.host, settings.port, section) as listener:
        async with app.router.lifespan_context(app):
            server = RunningServer(app, settings, listener)
            await server.start()
            try:
                yield server
            finally:
                await server.stop()


async def _abort_remaining(state: ServerState) -> None:
    """Wait for cancelled requests to end, then abort the connections that are still open."""
    if state.tasks:
        await asyncio.wait(state.tasks.copy(), timeout=CANCELLATION_GRACE_SECONDS)
    for connection in state.connections.copy():
        cast("HttpProtocol", connection).abort()
    await asyncio.sleep(0)


def _limit_connections(configured: int | None) -> int:
    """Choose the limit of connections; log it if the limit of open files allows fewer."""
    file_limit = get_file_limit()
    chosen = choose_max_connections(configured, file_limit)
    if configured is not None and chosen < configured:
        log_event(
            log,
            "server.max_connections_lowered",
            WARNING,
            configured=configured,
            max_connections=chosen,
            file_limit=file_limit,
        )
    return chosen


def _format_url(host: str, port: int) -> str:
    host = _LOOPBACK.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _create_config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        ws="none",
        lifespan="off",  # `open_server` enters it, so that its errors are raised there
        log_config=None,
        log_level="warning",  # `gateway.started` and `gateway.stopping` report the rest
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the rate limiter decides which proxies to trust (trusted_proxies)
    )
