"""`open_storage`: opens the database that the settings name, checks its schema, follows it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from gateway.auth.clock import Clock
from gateway.background_tasks import keep_running
from gateway.errors.tree import DatabaseUnavailable
from gateway.resources import Resources
from gateway.settings.database_address import SQLITE
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.schema import Settings
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.database import Database, Transaction
from gateway.storage.engine import create_database_engine, is_sqlite
from gateway.storage.schema_version import SchemaState, read_schema_version
from gateway.storage.upgrade import UnknownSchema, upgrade_schema

UPGRADE_SECONDS = 60.0
"""How long an upgrade may take, with the wait for another process that upgrades."""

_TASK = "database"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Storage:
    """The database, and the feed of its changes."""

    database: Database
    feed: ChangeFeed


@asynccontextmanager
async def open_storage(
    settings: Settings, resources: Resources, *, clock: Clock | None = None
) -> AsyncIterator[Storage | None]:
    """Open the database into `resources`, and read its journal until the end of the block.

    Without `database_url`, there is none. A SQLite file is created and upgraded. A server that is
    not there does not prevent the start: the process is not ready until it is.

    Raises:
        InvalidSettings: the schema is another than this version of Lockgate needs, or the file
            cannot be used, or the driver of PostgreSQL is not installed.
    """
    if settings.database_url is None:
        yield None
        return
    database = create_database(settings)
    try:
        await asyncio.to_thread(_prepare_schema, settings, database)
        feed = ChangeFeed(database, clock or Clock(), poll_seconds=settings.storage.poll_seconds)
        task = asyncio.create_task(keep_running(_TASK, feed.watch), name=_TASK)
        try:
            resources[Storage] = storage = Storage(database, feed)
            yield storage
        finally:
            task.cancel()
            await asyncio.wait({task})
    finally:
        await asyncio.to_thread(database.close)


def create_database(settings: Settings, *, timeout: float | None = None) -> Database:
    """Return the database of the settings, which must have one; it connects when it is used.

    Raises:
        InvalidSettings: the driver of PostgreSQL is not installed.
    """
    timeout = settings.storage.timeout_seconds if timeout is None else timeout
    max_connections = settings.storage.max_connections
    try:
        engine = create_database_engine(
            str(settings.database_url), timeout=timeout, max_connections=max_connections
        )
    except ModuleNotFoundError as error:
        message = "needs the driver of PostgreSQL: pip install 'lockgate[postgresql]'"
        raise InvalidSettings([ConfigError("database_url", message)]) from error
    return Database(engine, timeout=timeout, max_connections=max_connections)


def find_storage_errors(settings: Settings) -> list[ConfigError]:
    """Find what `open_storage` would refuse, if the database is there. Blocks."""
    if settings.database_url is None:
        return []
    try:
        version = _read_existing(settings, read_schema_version)
    except InvalidSettings as invalid:
        return invalid.errors
    if version is None or version.state is SchemaState.CURRENT:
        return []
    is_upgraded = str(settings.database_url).startswith(SQLITE)  # at the start
    if is_upgraded and version.state is not SchemaState.UNKNOWN:
        return []
    return [ConfigError("database_url", str(version))]


def read_existing(settings: Settings, transaction: Transaction[T]) -> T | None:
    """Read what a check needs; None if the database is not there, or has another schema. Blocks.

    Raises:
        InvalidSettings: the driver of PostgreSQL is not installed.
    """

    def read(connection: Connection) -> T | None:
        is_current = read_schema_version(connection).state is SchemaState.CURRENT
        return transaction(connection) if is_current else None

    return _read_existing(settings, read)


def _read_existing(settings: Settings, transaction: Transaction[T]) -> T | None:
    database = create_database(settings)
    file = database.engine.url.database if is_sqlite(database.engine) else None
    try:
        if file is not None and not Path(file).exists():  # reading it would create it
            return None
        return database.read_now(transaction)
    except DatabaseUnavailable:
        return None
    finally:
        database.close()


def _prepare_schema(settings: Settings, database: Database) -> None:
    """Upgrade a file; require that a server has been upgraded. Blocks."""
    try:
        if is_sqlite(database.engine):
            _upgrade(settings)
            return
        version = database.read_now(read_schema_version)
    except UnknownSchema as error:
        raise InvalidSettings([ConfigError("database_url", str(error))]) from error
    except DatabaseUnavailable as error:
        if is_sqlite(database.engine):
            message = f"the database cannot be used: {error.explanation}"
            raise InvalidSettings([ConfigError("database_url", message)]) from error
        return
    if version.state is not SchemaState.CURRENT:
        raise InvalidSettings([ConfigError("database_url", str(version))])


def _upgrade(settings: Settings) -> None:
    upgraded = create_database(settings, timeout=UPGRADE_SECONDS)
    try:
        upgraded.write_now(upgrade_schema)
    finally:
        upgraded.close()
