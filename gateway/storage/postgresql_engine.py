"""The engine of a PostgreSQL database, which several processes and machines share."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from gateway.storage.psycopg_internals import BoundedConnection, create_connect
from gateway.storage.writing import is_writing

_KEEPALIVE_SECONDS = 10


def create_postgresql_engine(url: URL, *, timeout: float, max_connections: int) -> Engine:
    """Return an engine whose connects, statements and waits for locks last `timeout` seconds."""
    milliseconds = round(timeout * 1_000)
    connect = create_connect(2 * timeout)
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=max_connections,
        max_overflow=0,
        pool_timeout=timeout,
        pool_pre_ping=True,
        pool_use_lifo=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": max(2, round(timeout)),  # libpq takes no less
            "tcp_user_timeout": milliseconds,
            "keepalives_idle": _KEEPALIVE_SECONDS,
            "application_name": "lockgate",
            "prepare_threshold": None,  # a pooler in front may change the session
        },
    )

    @event.listens_for(engine, "do_connect")
    def connect_with_timeout(
        _: object, __: object, arguments: Sequence[Any], parameters: Mapping[str, Any]
    ) -> BoundedConnection:
        return connect(*arguments, **parameters)

    @event.listens_for(engine, "begin")
    def set_timeouts(connection: Connection) -> None:
        # Per transaction, not per session, which a pooler would share with others.
        connection.exec_driver_sql(
            f"SET LOCAL statement_timeout = {milliseconds}; SET LOCAL lock_timeout = {milliseconds}"
            + ("" if is_writing(connection) else "; SET TRANSACTION READ ONLY")
        )

    return engine
