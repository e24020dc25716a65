"""`open_storage`: opens the database that the settings name, checks its schema, follows it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from errno import EACCES
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, make_url

from gateway.auth.clock import Clock
from gateway.background_tasks import run_in_background
from gateway.errors.tree import DatabaseUnavailable
from gateway.resources import Resources
from gateway.settings.database_address import SQLITE
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.schema import Settings
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.database import Database, Transaction, TransactionFailed
from gateway.storage.engine import create_database_engine, is_sqlite
from gateway.storage.failures import NO_FOLDER
from gateway.storage.schema_version import SchemaState, read_schema_version
from gateway.storage.upgrade import UnknownSchema, upgrade_schema

UPGRADE_SECONDS = 60.0
"""How long an upgrade may take, with the wait for another process that upgrades."""

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
        async with run_in_background("database", feed.watch):
            resources[Storage] = storage = Storage(database, feed)
            yield storage
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


class StorageCheck(NamedTuple):
    """The errors in what `open_storage` would open, and why it could not be checked, or ""."""

    errors: list[ConfigError]
    obstacle: str = ""


def check_storage(settings: Settings) -> StorageCheck:
    """Find what `open_storage` would refuse. Nothing is created or upgraded. Blocks."""
    if settings.database_url is None:
        return StorageCheck([])
    try:
        version = _read_existing(settings, read_schema_version)
    except InvalidSettings as invalid:
        return StorageCheck(invalid.errors)
    except DatabaseUnavailable as error:
        message = describe_unavailability(settings, error)
        if get_file(settings) is None or isinstance(error, TransactionFailed):
            return StorageCheck([], message)
        return StorageCheck([ConfigError("database_url", message)])
    usable = {SchemaState.CURRENT}
    if get_file(settings):  # the start upgrades it
        usable |= {SchemaState.EMPTY, SchemaState.OLD}
    is_usable = version is None or version.state in usable
    return StorageCheck([] if is_usable else [ConfigError("database_url", str(version))])


def describe_unavailability(settings: Settings, error: DatabaseUnavailable) -> str:
    """Say which database cannot be used, and why. The URL, which has a password, is left out."""
    file = get_file(settings)
    return f"the database {file or ''}".rstrip() + f" cannot be used: {error.explanation}"


def get_file(settings: Settings) -> Path | None:
    """Return the path of the SQLite file; None if the database is a server, or there is none."""
    url = settings.database_url
    if url is None:
        return None
    parsed = make_url(str(url))
    return Path(parsed.database or "") if parsed.get_backend_name() == SQLITE else None


def read_existing(settings: Settings, transaction: Transaction[T]) -> T | None:
    """Read what a check needs; None if the database is not there, or has another schema. Blocks.

    Raises:
        InvalidSettings: the driver of PostgreSQL is not installed.
    """

    def read(connection: Connection) -> T | None:
        is_current = read_schema_version(connection).state is SchemaState.CURRENT
        return transaction(connection) if is_current else None

    try:
        return _read_existing(settings, read)
    except DatabaseUnavailable:
        return None


def _read_existing(settings: Settings, transaction: Transaction[T]) -> T | None:
    """Read the database; None if its file is still to be created.

    Raises:
        DatabaseUnavailable: it cannot be read, or its file cannot be created.
    """
    file = get_file(settings)
    if file is not None and not file.exists():  # reading it would create it
        _require_folder(file.parent)
        return None
    database = create_database(settings)
    try:
        return database.read_now(transaction)
    finally:
        database.close()


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise DatabaseUnavailable(0, NO_FOLDER)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DatabaseUnavailable(0, f"the file cannot be opened: {os.strerror(EACCES)}")


def _prepare_schema(settings: Settings, database: Database) -> None:
    """Upgrade a file; require that a server has been upgraded. Blocks."""
    try:
        if is_sqlite(database.engine):
            upgrade_file(settings)
            return
        version = database.read_now(read_schema_version)
    except UnknownSchema as error:
        raise InvalidSettings([ConfigError("database_url", str(error))]) from error
    except DatabaseUnavailable as error:
        if is_sqlite(database.engine):
            message = describe_unavailability(settings, error)
            raise InvalidSettings([ConfigError("database_url", message)]) from error
        return
    if version.state is not SchemaState.CURRENT:
        raise InvalidSettings([ConfigError("database_url", str(version))])


def upgrade_file(settings: Settings) -> None:
    """Create the SQLite file of the settings if there is none, and upgrade its schema. Blocks.

    Raises:
        DatabaseUnavailable: it cannot be written.
        UnknownSchema: its schema is of a later version of Lockgate.
    """
    upgraded = create_database(settings, timeout=UPGRADE_SECONDS)
    try:
        upgraded.write_now(upgrade_schema)
    finally:
        upgraded.close()
