"""`TableReplayCache`: what all processes have seen, in the database."""

import time

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from gateway.replay.replay_cache import ReplayCache, hash_value
from gateway.storage.database import Database
from gateway.storage.engine import is_sqlite
from gateway.storage.tables import used_ids
from gateway.storage.timestamps import to_microseconds

MAX_DELETED_ROWS = 20
"""How many expired rows each call deletes: more than the one that it adds, and not many."""


class TableReplayCache(ReplayCache):
    """Inserts a row per value; the database tells whether it is the first one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, kind: str, value: str, seconds: float) -> bool:
        """Insert the row of the value, or take over a row that has expired.

        Raises:
            DatabaseUnavailable: the row may have been inserted all the same.
        """
        digest = hash_value(kind, value)

        def transaction(connection: Connection) -> bool:
            now = time.time()
            is_first = self._insert(connection, digest, now, now + seconds)
            _delete_expired(connection, now)
            return is_first

        return await self._database.write(transaction)

    def _insert(self, connection: Connection, digest: bytes, now: float, end: float) -> bool:
        # Another transaction that inserts this value is waited for before this statement decides.
        insert = insert_sqlite if is_sqlite(self._database.engine) else insert_postgresql
        statement = insert(used_ids).values(digest=digest, expires_at=to_microseconds(end))
        inserted = connection.execute(
            statement.on_conflict_do_update(
                index_elements=[used_ids.c.digest],
                set_={"expires_at": statement.excluded.expires_at},
                where=used_ids.c.expires_at <= to_microseconds(now),
            ).returning(used_ids.c.digest)
        )
        return inserted.first() is not None


def _delete_expired(connection: Connection, now: float) -> None:
    """Delete some expired rows, but none that another transaction holds: it deletes them."""
    expired = (
        select(used_ids.c.digest)
        .where(used_ids.c.expires_at <= to_microseconds(now))
        .order_by(used_ids.c.expires_at)
        .limit(MAX_DELETED_ROWS)
        .with_for_update(skip_locked=True)  # SQLite has one writer, and no such clause
    )
    connection.execute(delete(used_ids).where(used_ids.c.digest.in_(expired)))
