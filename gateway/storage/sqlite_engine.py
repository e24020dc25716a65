"""The engine of a SQLite file, which the gateway and the command line share."""

import os
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from gateway.storage.writing import is_writing


def create_sqlite_engine(url: URL, *, timeout: float) -> Engine:
    """Return an engine with one connection, which waits `timeout` seconds for a lock."""
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=timeout,
        hide_parameters=True,
        # The gateway begins transactions itself (`_begin_sqlite`): the driver would do so only
        # before the first change, when two readers that want to write can no longer both go on.
        connect_args={"timeout": timeout, "isolation_level": None, "check_same_thread": False},
    )
    path = Path(url.database or "")

    @event.listens_for(engine, "do_connect")
    def create_private_file(*_: Any) -> None:  # noqa: ANN401 - the arguments of the event
        # SQLite would create the file with the permissions of the umask.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: SqliteConnection, _: object) -> None:
        for pragma in (
            "journal_mode = DELETE",  # the known corruption bug is of WAL (fixed in 3.51.3)
            "synchronous = EXTRA",  # a commit survives the loss of power
            "secure_delete = ON",
            "foreign_keys = ON",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    query_only, mode = ("OFF", " IMMEDIATE") if is_writing(connection) else ("ON", "")
    connection.exec_driver_sql(f"PRAGMA query_only = {query_only}")
    connection.exec_driver_sql(f"BEGIN{mode}")
