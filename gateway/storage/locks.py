"""The locks that make transactions of several processes follow each other.

In PostgreSQL they are advisory locks, which end with the transaction. In SQLite, `BEGIN IMMEDIATE`
has taken the only one there is.
"""

from sqlalchemy import Connection, select
from sqlalchemy import func as functions

from gateway.settings.database_address import POSTGRESQL

_NAMESPACE = int.from_bytes(b"lock")
_JOURNAL = 1
_UPGRADE = 2


def lock_journal(connection: Connection) -> None:
    """Wait until no other transaction appends to the journal."""
    _lock(connection, _JOURNAL)


def lock_schema(connection: Connection) -> None:
    """Wait until no other transaction changes the schema."""
    _lock(connection, _UPGRADE)


def _lock(connection: Connection, number: int) -> None:
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(functions.pg_advisory_xact_lock(_NAMESPACE, number)))
