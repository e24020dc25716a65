"""The names of uvicorn beyond its documented interface, with one test for each.

When an upgrade of uvicorn breaks one of these, `gateway/server/uvicorn_internals.py` is the place
to repair; then the upper bound in `pyproject.toml` may be raised.
"""

import asyncio
import inspect
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from gateway.server.accept_loop import AcceptLoop
from gateway.server.connections import ClientTimeouts, OpenConnections
from gateway.server.protocol import HttpProtocol
from gateway.server.uvicorn_internals import UvicornRunner, describe_connection
from tests.gateway.server.in_memory import Echo

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def create_config(app: Any = None, **options: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app or Echo(), http=HttpProtocol, ws="none", lifespan="off", log_config=None, **options
    )


SHUTDOWN_SECONDS = 0.05
TIMEOUT_SECONDS = 5


@pytest.fixture
def listener() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


@asynccontextmanager
async def start_server(
    config: uvicorn.Config, listener: socket.socket
) -> AsyncIterator[UvicornRunner]:
    runner = UvicornRunner(config)
    await runner.start()
    connections = OpenConnections(ClientTimeouts(), max_connections=10)
    accept_loop = AcceptLoop(
        listener,
        connections,
        lambda client, _: HttpProtocol(config, runner.state, {}, connections, client=client),
    )
    accept_loop.start()
    try:
        yield runner
    finally:
        accept_loop.stop()
        with suppress(TimeoutError):
            await runner.stop(SHUTDOWN_SECONDS)
        for connection in runner.state.connections.copy():
            connection.abort()  # type: ignore[union-attr]
        await asyncio.sleep(0)


def test_server_state_has_what_protocol_and_cycle_write() -> None:
    """Without: connections and requests are not found at shutdown, and responses have no date."""
    state = ServerState()
    assert (state.connections, state.tasks) == (set(), set())
    assert (state.default_headers, state.total_requests) == ([], 0)


def test_a_loaded_config_has_the_app() -> None:
    """Without: `HttpProtocol` has no app to run."""
    app = Echo()
    config = create_config(app)
    config.load()
    assert config.loaded_app is not None
    assert config.http_protocol_class is HttpProtocol


def test_a_loaded_config_adds_no_middleware_of_its_own() -> None:
    """Without: a second wrapper of each request, and `X-Forwarded-For` trusted from any peer."""
    app = Echo()
    config = create_config(app, proxy_headers=False, access_log=False, interface="asgi3")
    config.load()
    assert config.loaded_app is app


def test_a_lifespan_that_is_off_has_startup_shutdown_and_state() -> None:
    """Without: `Server.startup` and `Server.shutdown` fail."""
    config = create_config()
    config.load()
    lifespan = config.lifespan_class(config)
    assert (lifespan.should_exit, lifespan.state) == (False, {})
    assert inspect.iscoroutinefunction(lifespan.startup)
    assert inspect.iscoroutinefunction(lifespan.shutdown)


async def test_startup_without_sockets_listens_nowhere(listener: socket.socket) -> None:
    """Without: the server listens on a port of its own, beside that of the settings."""
    async with start_server(create_config(), listener) as runner:
        assert runner._server.started
        assert runner._server.servers == []


async def test_main_loop_sets_the_date_and_stops_on_should_exit(listener: socket.socket) -> None:
    """Without: responses have no Date header, or the server does not stop."""
    async with start_server(create_config(server_header=False), listener) as runner:
        await asyncio.sleep(0)
        ((name, date),) = runner.state.default_headers
    assert name == b"date"
    assert date.endswith(b" GMT")
    main_loop = runner._main_loop
    assert main_loop is not None
    assert main_loop.done()


async def test_shutdown_asks_each_connection_to_shut_down(listener: socket.socket) -> None:
    """Without: idle connections of clients hold up the end until the timeout."""
    async with start_server(create_config(), listener) as runner:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(GET)
        await reader.readline()
        await runner.stop(TIMEOUT_SECONDS)
        assert (await reader.read()).endswith(b"ok")
        assert not runner.state.connections
        writer.close()
        await writer.wait_closed()


async def test_shutdown_can_be_given_up_after_a_timeout(
    listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """Without: a request that does not end holds up the end for ever, or uvicorn logs about it."""
    running = asyncio.Event()

    async def hold(_scope: Scope, _receive: Receive, _send: Send) -> None:
        running.set()
        await asyncio.sleep(60)

    async with start_server(create_config(hold), listener) as runner:
        _, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(GET)
        await running.wait()
        with pytest.raises(TimeoutError):
            await runner.stop(SHUTDOWN_SECONDS)
        assert len(runner.state.tasks) == 1
        assert not caplog.records
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_signals_are_left_alone(listener: socket.socket) -> None:
    """Without: uvicorn ends at SIGTERM by itself, before the command has closed the rest.

    Only `Server.serve` calls `capture_signals`; the runner does not call it.
    """
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with start_server(create_config(), listener):
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    callers = [
        name
        for name, method in inspect.getmembers(uvicorn.Server, inspect.isfunction)
        if "self.capture_signals(" in inspect.getsource(method)
    ]
    assert callers == ["serve"]


class Transport(asyncio.Transport):
    """A transport with extra information and nothing else."""


def test_the_addresses_of_a_transport() -> None:
    """Without: requests have no client address, and limits per address count all as one."""
    transport = Transport({"peername": ("192.0.2.7", 4711), "sockname": ("192.0.2.1", 80)})
    assert get_remote_addr(transport) == ("192.0.2.7", 4711)
    assert get_local_addr(transport) == ("192.0.2.1", 80)
    assert describe_connection(transport) == {
        "client": ("192.0.2.7", 4711),
        "server": ("192.0.2.1", 80),
        "scheme": "http",
    }


def test_a_transport_over_tls_is_known() -> None:
    """Without: the scheme of a request over TLS is http."""
    assert is_ssl(Transport({"sslcontext": object()}))
    assert not is_ssl(Transport({}))
    assert describe_connection(Transport({"sslcontext": object()}))["scheme"] == "https"
