"""Databases for tests: a SQLite file, and a database of a real PostgreSQL."""

import asyncio
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gateway.settings.schema import Settings, StorageSettings
from gateway.storage.database import Database
from gateway.storage.open_storage import UPGRADE_SECONDS, create_database
from gateway.storage.upgrade import upgrade_schema
from tests.postgresql_server import PostgresqlServer

OpenDatabase = Callable[..., Database]


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, 60 seconds at most."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - nothing would set an event
            await asyncio.sleep(0.01)


def create_file(folder: Path) -> str:
    """Create a SQLite file with the schema in a folder, unless it has one, and return its URL.

    It is a copy: each migration waits for the disk.
    """
    path = folder / "lockgate.db"
    if not path.exists():
        path.touch(0o600)
        path.write_bytes(_read_upgraded_file())
    return f"sqlite:///{path}"


def upgrade_database(url: str) -> str:
    """Create the schema in a database, whatever the timeout of the test is; return the URL."""
    database = create_database(Settings(database_url=url), timeout=UPGRADE_SECONDS)
    database.write_now(upgrade_schema)
    database.close()
    return url


@cache
def _read_upgraded_file() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "lockgate.db"
        upgrade_database(f"sqlite:///{path}")
        return path.read_bytes()


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

    def open_once_more(timeout: float = 10) -> Database:
        storage = StorageSettings(timeout_seconds=timeout)
        database = create_database(Settings(database_url=database_url, storage=storage))
        opened.append(database)
        return database

    yield open_once_more
    for database in opened:
        database.close()


@pytest.fixture
def database(database_url: str, open_database: OpenDatabase, tmp_path: Path) -> Database:
    """A database with the schema."""
    if database_url.startswith("sqlite"):
        assert create_file(tmp_path) == database_url
        return open_database()
    upgrade_database(database_url)
    return open_database()
