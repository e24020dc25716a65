"""Opening a connection: within its time, but a handshake that has completed is never too late."""

import asyncio
import gc
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from unittest.mock import Mock

import httpx
import pytest
import uvloop

from gateway.transport.connection import Connection
from gateway.transport.connection_state import ConnectionState
from gateway.transport.origin import Origin, OriginConnector
from gateway.transport.tls import ClientTls
from gateway.transport.write_batch import WriteBatcher
from tests.gateway.transport.certificate_authority import Authority

BOTH_LOOPS = pytest.mark.parametrize(
    "factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def origin_of(listening: socket.socket, scheme: str) -> Origin:
    return Origin(scheme, "127.0.0.1", listening.getsockname()[1])


async def connect(
    origin: Origin, seconds: float | None, tls: ssl.SSLContext | None = None
) -> Connection:
    batcher = WriteBatcher(asyncio.get_running_loop())
    connector = OriginConnector(origin, ClientTls(context=tls))
    return await connector.connect(Mock(), batcher, seconds)


async def close(connection: Connection) -> None:
    connection.abort()
    await connection.closed


@BOTH_LOOPS
def test_a_tcp_handshake_that_completed_while_the_loop_was_busy_is_in_time(
    factory: LoopFactory, listening: socket.socket
) -> None:
    async def connect_busily() -> None:
        connecting = asyncio.create_task(connect(origin_of(listening, "http"), 0.02))
        await asyncio.sleep(0)  # the kernel has been asked to connect, and will within microseconds
        time.sleep(0.1)  # noqa: ASYNC251 - the loop is busy for longer than the timeout
        connection = await connecting
        assert connection.state is ConnectionState.IDLE
        await close(connection)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(connect_busily())


class HandshakingServer:
    """Answers a ClientHello when the test lets it, with all that it can send before Finished."""

    def __init__(self, listening: socket.socket, tls: ssl.SSLContext) -> None:
        self.has_hello, self.may_answer = threading.Event(), threading.Event()
        self.has_answered = threading.Event()
        self._listening, self._tls = listening, tls

    def run(self) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        handshake = self._tls.wrap_bio(incoming, outgoing, server_side=True)
        accepted, _ = self._listening.accept()
        accepted.settimeout(10)
        with accepted:
            while not outgoing.pending:
                incoming.write(accepted.recv(65_536))
                with suppress(ssl.SSLWantReadError):
                    handshake.do_handshake()
            self.has_hello.set()
            self.may_answer.wait()
            accepted.sendall(outgoing.read())
            self.has_answered.set()
            with suppress(ConnectionError):
                while accepted.recv(65_536):
                    pass


@BOTH_LOOPS
def test_a_tls_handshake_that_completed_while_the_loop_was_busy_is_in_time(
    factory: LoopFactory, listening: socket.socket, authority: Authority
) -> None:
    server = HandshakingServer(listening, authority.make_server_context("127.0.0.1"))

    def keep_busy() -> None:
        server.may_answer.set()
        server.has_answered.wait()
        time.sleep(0.5)

    async def connect_busily() -> None:
        origin = origin_of(listening, "https")
        connecting = asyncio.create_task(connect(origin, 0.4, authority.make_client_context()))
        await asyncio.to_thread(server.has_hello.wait)
        keep_busy()
        connection = await connecting
        assert connection.state is ConnectionState.IDLE
        await close(connection)

    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(connect_busily())
    thread.join()


@BOTH_LOOPS
def test_a_handshake_that_never_completes_times_out(
    factory: LoopFactory, listening: socket.socket, authority: Authority
) -> None:
    with (
        asyncio.Runner(loop_factory=factory) as runner,
        pytest.raises(
            httpx.ConnectTimeout, match=r"TLS handshake with 127\.0\.0\.1:\d+ within 0\.02 s"
        ),
    ):
        runner.run(connect(origin_of(listening, "https"), 0.02, authority.make_client_context()))


def test_the_origin_of_a_url() -> None:
    assert Origin.from_url(httpx.URL("https://a.test/x")) == ("https", "a.test", 443)
    assert Origin.from_url(httpx.URL("http://a.test:81")) == ("http", "a.test", 81)
    with pytest.raises(httpx.UnsupportedProtocol, match="'ftp'"):
        Origin.from_url(httpx.URL("ftp://a.test"))


REQUEST: ContextVar[object] = ContextVar("request")


class Secret:
    """Something that only the request may hold."""


@BOTH_LOOPS
def test_a_connection_keeps_nothing_of_the_request_that_opened_it(
    factory: LoopFactory, listening: socket.socket
) -> None:
    async def open_for_a_request() -> tuple[Connection, weakref.ref[Secret]]:
        secret = Secret()
        REQUEST.set(secret)
        # Without a timeout: asyncio keeps a cancelled timer, and its context, until it is due.
        connection = await connect(origin_of(listening, "http"), None)
        return connection, weakref.ref(secret)

    async def look() -> None:
        connection, secret = await asyncio.create_task(open_for_a_request())
        await asyncio.sleep(0)  # the loop lets go of the task that has ended
        gc.collect()
        is_gone = secret() is None
        await close(connection)
        assert is_gone

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(look())


@pytest.mark.parametrize("turns", range(12))
async def test_a_caller_that_is_cancelled_leaves_no_connection(
    listening: socket.socket, no_leaks: None, turns: int
) -> None:
    connecting = asyncio.create_task(connect(origin_of(listening, "http"), 5))
    for _ in range(turns):
        await asyncio.sleep(0)
    connecting.cancel()
    (outcome,) = await asyncio.gather(connecting, return_exceptions=True)
    if isinstance(outcome, Connection):
        await close(outcome)
