"""The connection pool of a Redis URL, and the errors in such a URL.

redis-py ignores a database that is not a number, lets options of the URL replace the ones that the
gateway sets, and reports an unknown option only when it connects.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio.connection import BlockingConnectionPool, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.ratelimit.redis.redis_internals import TlsRedisConnection, use_own_connection
from gateway.settings.errors import ConfigError, InvalidSettings, suggest_nearest
from gateway.settings.redis_address import TLS_SCHEMES

CONNECT_SECONDS = 0.5

_OPTIONS = ("client_name", "db")
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TLS_OPTIONS = (
    *_TLS_FILES,
    "ssl_ca_path",
    "ssl_cert_reqs",
    "ssl_check_hostname",
    "ssl_ciphers",
    "ssl_min_version",
    "ssl_password",
)


def create_pool(url: str, ca_file: Path | None = None) -> ConnectionPool:
    """Create the pool of the one connection to Redis.

    `ca_file` has CAs to trust in addition to those of the system, unless the URL names a file or a
    directory of its own.

    Raises:
        InvalidSettings: the URL has an option or a database that cannot be used.
    """
    if errors := find_redis_errors(url):
        raise InvalidSettings(errors)
    return _create_pool(url, ca_file)


def create_blocking_pool(
    url: str, ca_file: Path | None, *, max_connections: int, timeout: float
) -> BlockingConnectionPool:
    """Create a pool for commands that redis-py sends, with a timeout in seconds on each step.

    Raises:
        InvalidSettings: the URL has an option or a database that cannot be used.
    """
    pool = create_pool(url, ca_file)
    options = {**pool.connection_kwargs, "socket_timeout": timeout}
    return BlockingConnectionPool(
        max_connections=max_connections,
        timeout=timeout,
        connection_class=pool.connection_class,
        **options,
    )


def find_redis_errors(url: str) -> list[ConfigError]:
    """Find the errors in a Redis URL. None of them quotes the URL, which may have a password."""
    parts = urlsplit(url)
    errors = [*_iter_database_errors(parts), *_iter_option_errors(parts)]
    return errors or list(_iter_pool_errors(url))


def is_tls(url: str) -> bool:
    """Whether the connection to Redis is encrypted."""
    return url.startswith(tuple(f"{scheme}://" for scheme in TLS_SCHEMES))


def _create_pool(url: str, ca_file: Path | None = None) -> ConnectionPool:
    # redis-py has no timeout on reads and writes here, because `RedisConnection` has a stricter
    # one, which takes a busy event loop into account. It does not retry either: a check that is
    # sent twice is charged twice.
    is_socket = url.startswith("unix://")
    pool = ConnectionPool.from_url(
        # redis-py does not know the scheme of Valkey, which speaks the same protocol.
        f"redis{url.removeprefix('valkey')}" if url.startswith("valkey") else url,
        max_connections=1,
        protocol=2,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
        **({} if is_socket else {"socket_keepalive": True}),
    )
    use_own_connection(pool, ca_file)
    return pool


def _iter_database_errors(parts: SplitResult) -> Iterator[ConfigError]:
    database = unquote(parts.path).removeprefix("/")
    if parts.scheme != "unix" and database and not (database.isascii() and database.isdigit()):
        message = "must end with the number of a database, such as /0"
        yield ConfigError("redis_url", message)


def _iter_option_errors(parts: SplitResult) -> Iterator[ConfigError]:
    if parts.fragment:
        yield ConfigError("redis_url", "must not have a fragment (after #)")
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in _TLS_OPTIONS and parts.scheme not in TLS_SCHEMES:
            message = f"has the option {name}, which needs a URL that begins with rediss://"
            yield ConfigError("redis_url", message)
        elif name not in _OPTIONS + _TLS_OPTIONS:
            message = f"has the option {name}, which is unknown or set by the gateway itself"
            yield ConfigError("redis_url", message, suggest_nearest(name, _OPTIONS + _TLS_OPTIONS))
        elif name == "db" and not (value.isascii() and value.isdigit()):
            yield ConfigError("redis_url", "must have the number of a database as its option db")
        elif name == "client_name" and not re.fullmatch(r"[!-~]*", value):
            yield ConfigError("redis_url", "must have ASCII without spaces as its client_name")
        elif name in _TLS_FILES and not os.path.isfile(value):  # noqa: PTH113 - Path may raise
            yield ConfigError("redis_url", f"has the option {name}, but there is no such file")


def _iter_pool_errors(url: str) -> Iterator[ConfigError]:
    """Create a connection without opening it: redis-py refuses invalid values of options here."""
    try:
        connection = _create_pool(url).make_connection()  # type: ignore[no-untyped-call]
        if isinstance(connection, TlsRedisConnection):
            connection.load_ssl_context()
    except (ValueError, TypeError, OSError, RedisError) as error:
        yield ConfigError("redis_url", f"cannot be used: {error}")
