"""The adapter to redis-py: the only file that uses its private or undocumented names.

Each name has a test in `tests/gateway/ratelimit/redis/test_redis_internals.py` that says what
breaks without it.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    DefaultParser,
    SSLConnection,
)
from redis.exceptions import ResponseError

from gateway.transport.happy_eyeballs import Attempt, HostConnector
from gateway.transport.resolver import SocketAddress
from gateway.trust_store import load_trust_store

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_parse_error: Callable[[str], Exception] = DefaultParser.parse_error


def parse_error(text: str) -> Exception:
    """Turn the text of an error reply into redis-py's exception, such as `NoScriptError`."""
    try:
        return _parse_error(text)
    except (ValueError, LookupError):  # redis-py parses the address in a MOVED
        return ResponseError(text)


def get_transport(connection: AbstractConnection) -> asyncio.Transport | None:
    """Return the transport of a connection, or None if it is not connected."""
    writer = connection._writer  # noqa: SLF001 - redis-py has no public name for the socket
    return None if writer is None else cast("asyncio.Transport", writer.transport)


async def has_pending_data(connection: AbstractConnection) -> bool:
    """Return whether redis-py holds data it has not read, or has seen the end of the stream.

    redis-py plans to rename `can_read`, because it reports more than data to read.
    """
    return await connection.can_read()


def use_own_connection(pool: ConnectionPool, ca_file: Path | None) -> None:
    """Let a pool connect to any address of the host that works, and trust our trust store."""
    options = pool.connection_kwargs
    if issubclass(pool.connection_class, SSLConnection):
        pool.connection_class = TlsRedisConnection
        options["ca_file"] = ca_file
    elif pool.connection_class is Connection:
        pool.connection_class = TcpRedisConnection


class TcpRedisConnection(Connection):
    """A connection of redis-py that is opened as RFC 8305 says.

    redis-py tries one address of the host after the other.
    """

    _connector: HostConnector | None = None

    async def _connect(self) -> None:
        if self._connector is None:
            self._connector = HostConnector(self.host, self.port)
        context = await self._load_ssl_context()
        server_name = self.host if context else None

        async def connect(address: SocketAddress) -> Streams:
            opened = await address.connect()
            return await asyncio.open_connection(
                sock=opened, ssl=context, server_hostname=server_name
            )

        seconds: float | None = self.socket_connect_timeout
        async with asyncio.timeout(seconds):
            streams = await self._connector.connect(Attempt(connect, _close), seconds)
        self._reader, self._writer = streams
        self._keep_alive(self._writer.get_extra_info("socket"))

    def _keep_alive(self, opened: socket.socket) -> None:
        """Let TCP find out that the server has gone, as redis-py does."""
        if self.socket_keepalive:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            options = cast("dict[int, int]", self.socket_keepalive_options)
            for option, value in options.items():
                opened.setsockopt(socket.IPPROTO_TCP, option, value)

    async def _load_ssl_context(self) -> ssl.SSLContext | None:
        return None


class TlsRedisConnection(TcpRedisConnection, SSLConnection):
    """A connection over TLS that loads its certificates in a thread, each time it connects.

    redis-py loads them on the event loop, once, and trusts the system alone.
    """

    def __init__(self, *, ca_file: Path | None = None, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._ca_file = ca_file

    async def _load_ssl_context(self) -> ssl.SSLContext:
        return await asyncio.to_thread(self.load_ssl_context)

    def load_ssl_context(self) -> ssl.SSLContext:
        """Load the certificates.

        Raises:
            OSError: a file cannot be read, or holds no certificate, or a cipher is unknown.
        """
        tls = self.ssl_context
        tls.context = None  # a file may have changed since the last connection
        context: ssl.SSLContext = tls.get()
        if not (tls.ca_certs or tls.ca_path):
            load_trust_store(context, self._ca_file)
        return context


def _close(streams: Streams) -> None:
    streams[1].transport.abort()
