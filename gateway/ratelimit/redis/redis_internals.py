"""The adapter to redis-py: the only file that uses its private or undocumented names.

Each name has a test in `tests/gateway/ratelimit/redis/test_redis_internals.py` that says what
breaks without it.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from redis.asyncio.connection import (
    AbstractConnection,
    ConnectionPool,
    DefaultParser,
    SSLConnection,
)
from redis.exceptions import ResponseError

from gateway.trust_store import load_trust_store

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
    """Let a pool create connections that trust the trust store of the gateway."""
    if issubclass(pool.connection_class, SSLConnection):
        pool.connection_class = TlsRedisConnection
        pool.connection_kwargs["ca_file"] = ca_file


class TlsRedisConnection(SSLConnection):
    """A connection over TLS that loads its certificates in a thread.

    redis-py loads them on the event loop, once, and trusts the system alone.
    """

    def __init__(self, *, ca_file: Path | None = None, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._ca_file = ca_file

    async def _connect(self) -> None:
        await asyncio.to_thread(self.load_ssl_context)
        await super()._connect()  # type: ignore[no-untyped-call]

    def load_ssl_context(self) -> ssl.SSLContext:
        """Load the certificates.

        Raises:
            OSError: a file cannot be read, or holds no certificate, or a cipher is unknown.
        """
        tls = self.ssl_context
        tls.context = None  # a file may have changed since the last connection
        context = tls.get()
        if not (tls.ca_certs or tls.ca_path):
            load_trust_store(context, self._ca_file)
        return context
