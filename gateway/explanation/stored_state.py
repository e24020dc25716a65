"""`StoredState`: the revocations and API keys of the database, for `lockgate explain`."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection, Row, select

from gateway.api_keys.api_key import ApiKey
from gateway.api_keys.key_table import list_keys as list_api_keys
from gateway.auth.principal import Principal
from gateway.auth.revocation_index import is_revoked_by, list_keys
from gateway.errors.tree import DatabaseUnavailable
from gateway.revocation.clock_skews import list_clock_skews
from gateway.settings.schema import Settings
from gateway.storage.database import Database
from gateway.storage.open_storage import create_database, describe_unavailability, get_file
from gateway.storage.schema_version import SchemaState, read_schema_version
from gateway.storage.tables import journal, revocations
from gateway.storage.timestamps import to_microseconds, to_seconds


class StoredState:
    """Reads the database; `obstacle` says why it cannot be read, and is "" if it can. Blocks.

    With `is_unavailable`, there is a database, and it cannot be used. `skews` are those of
    `RevocationIndex`.
    """

    def __init__(
        self,
        database: Database | None,
        skews: Mapping[str, float],
        obstacle: str = "",
        *,
        is_unavailable: bool = False,
    ) -> None:
        self._database = database
        self._skews = skews
        self.obstacle = obstacle
        self.is_unavailable = is_unavailable

    def read_api_keys(self) -> list[ApiKey]:
        """Return the API keys, also those that are revoked: their revocation is found by itself."""
        if self._database is None:
            return []
        keys = self._database.read_now(list_api_keys)
        return [replace(key, is_revoked=False) for key in keys]

    def find_revocation(self, principal: Principal) -> str:
        """Describe the revocation that names the token of a caller; "" if there is none."""
        if self._database is None:
            return ""
        return self._database.read_now(
            partial(_find_revocation, principal=principal, skews=self._skews)
        )


@contextmanager
def open_stored_state(settings: Settings) -> Iterator[StoredState]:
    """Open the database of the settings, if it can be read. It is neither created nor upgraded."""
    if settings.database_url is None:
        yield StoredState(None, {}, "database_url is not set")
        return
    file = get_file(settings)
    if file is not None and not file.exists():
        yield StoredState(None, {}, f"the database {file} does not exist yet")
        return
    database = create_database(settings)
    try:
        obstacle = _find_obstacle(settings, database)
        found = None if obstacle else database
        yield StoredState(
            found, list_clock_skews(settings), obstacle, is_unavailable=bool(obstacle)
        )
    finally:
        database.close()


def _find_obstacle(settings: Settings, database: Database) -> str:
    try:
        version = database.read_now(read_schema_version)
    except DatabaseUnavailable as error:
        return describe_unavailability(settings, error)
    return "" if version.state is SchemaState.CURRENT else str(version)


def _find_revocation(
    connection: Connection, principal: Principal, skews: Mapping[str, float]
) -> str:
    columns, now = revocations.c, to_microseconds(time.time())
    for key in list_keys(principal):
        kind, issuer, value = key
        statement = (
            select(columns.kind, columns.value, columns.issued_before, journal)
            .join(journal, journal.c.seq == columns.seq)
            .where(
                columns.kind == kind.value,
                columns.issuer == issuer,
                columns.value == value,
                columns.expires_at > now,
            )
        )
        for row in connection.execute(statement):
            if is_revoked_by(principal, key, to_seconds(row.issued_before), skews):
                return _describe(row)
    return ""


def _describe(row: Row[tuple[object, ...]]) -> str:
    at = datetime.fromtimestamp(to_seconds(row.at), UTC)
    reason = f": {row.reason}" if row.reason else ""
    named = f"the {row.kind} {row.value}".rstrip()
    return (
        f"journal entry {row.seq} of {row.actor} at {at:%Y-%m-%dT%H:%M:%SZ} names {named}{reason}"
    )
