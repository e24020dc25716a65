"""Creates the engine of a database URL."""

from sqlalchemy import Engine, make_url

from gateway.settings.database_address import SQLITE
from gateway.storage.sqlite_engine import create_sqlite_engine


def is_sqlite(engine: Engine) -> bool:
    """Whether the database is a file of this machine, which one process at a time may write."""
    return engine.dialect.name == SQLITE


def create_database_engine(url: str, *, timeout: float, max_connections: int) -> Engine:
    """Return the engine; it connects with the first transaction.

    `timeout`, in seconds, bounds each connect, each statement and each wait for a lock.

    Raises:
        ModuleNotFoundError: the driver of PostgreSQL is not installed.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == SQLITE:
        return create_sqlite_engine(parsed, timeout=timeout)
    # The driver is an extra of the package.
    from gateway.storage.postgresql_engine import create_postgresql_engine  # noqa: PLC0415

    return create_postgresql_engine(parsed, timeout=timeout, max_connections=max_connections)
