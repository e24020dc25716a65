"""Databases for tests: a SQLite file, and a database of a real PostgreSQL."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.settings.schema import Settings, StorageSettings
from gateway.storage.database import Database
from gateway.storage.open_storage import create_database
from gateway.storage.upgrade import upgrade_schema
from tests.postgresql_server import PostgresqlServer

OpenDatabase = Callable[..., Database]


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, 20 seconds at most."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing would set an event
            await asyncio.sleep(0.01)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/lockgate.db"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.create_database()


@pytest.fixture
def open_database(database_url: str) -> Iterator[OpenDatabase]:
    """Open the database once more, as another process would."""
    opened = list[Database]()

    def open_once_more(timeout: float = 2) -> Database:
        storage = StorageSettings(timeout_seconds=timeout)
        database = create_database(Settings(database_url=database_url, storage=storage))
        opened.append(database)
        return database

    yield open_once_more
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    """A database with the schema."""
    database = open_database()
    database.write_now(upgrade_schema)
    return database
