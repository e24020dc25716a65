"""The engine of a SQLite file, which the gateway and the command line share."""

import os
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
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
    file = _File(Path(url.database or ""))
    event.listen(engine, "do_connect", file.open)
    event.listen(engine, "checkout", file.require_same)

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


class _File:
    """The file of an engine. Its first connect creates it, and no later one.

    A process that goes on with a file that was removed or replaced would miss each revocation.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = None

    def open(self, *_: Any) -> None:  # noqa: ANN401 - the arguments of the event
        """Create the file, unless this engine had one, and remember which file it is.

        SQLite would create it with the permissions of the umask.
        """
        flags = os.O_RDWR | (os.O_CREAT if self._identity is None else 0)
        descriptor = os.open(self._path, flags, 0o600)
        try:
            self._identity = _identify(os.fstat(descriptor))
        finally:
            os.close(descriptor)

    def require_same(self, *_: Any) -> None:  # noqa: ANN401 - the arguments of the event
        """Require that the path has the file that the connection has, before each transaction.

        Raises:
            DisconnectionError: it has another one, or none; the pool connects again.
        """
        try:
            found = _identify(self._path.stat())
        except OSError:
            found = None
        if found != self._identity:
            raise DisconnectionError("the file was replaced or removed")


def _identify(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _begin_sqlite(connection: Connection) -> None:
    query_only, mode = ("OFF", " IMMEDIATE") if is_writing(connection) else ("ON", "")
    connection.exec_driver_sql(f"PRAGMA query_only = {query_only}")
    connection.exec_driver_sql(f"BEGIN{mode}")
