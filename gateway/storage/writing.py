"""Marks the transactions that may write; all others are read-only in the database itself."""

from sqlalchemy import Connection

_WRITING = "lockgate_writing"


def allow_writing(connection: Connection) -> Connection:
    """Let the next transaction of a connection write. Call it before the transaction begins."""
    return connection.execution_options(**{_WRITING: True})


def is_writing(connection: Connection) -> bool:
    """Whether the transaction of a connection may write."""
    return bool(connection.get_execution_options().get(_WRITING))
