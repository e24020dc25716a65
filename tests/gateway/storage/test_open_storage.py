"""`open_storage`: without a database, with a file, and with a server in each state."""

import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings
from gateway.storage.open_storage import check_storage, create_database, open_storage
from gateway.storage.schema_version import SchemaState, read_schema_version
from gateway.storage.upgrade import upgrade_schema
from tests.databases import wait_until
from tests.postgresql_server import PostgresqlServer


async def wait_until_loaded(settings: Settings) -> None:
    async with open_storage(settings, Resources()) as storage:
        assert storage is not None
        await wait_until(lambda: storage.feed.is_loaded)


async def test_without_a_url_there_is_no_storage() -> None:
    async with open_storage(Settings(), Resources()) as storage:
        assert storage is None


async def test_a_file_is_created_and_upgraded(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/lockgate.db")
    await wait_until_loaded(settings)
    await wait_until_loaded(settings)


@pytest.mark.parametrize(
    ("name", "explanation"),
    [
        ("missing/lockgate.db", "its folder does not exist"),
        ("file.txt/lockgate.db", "its folder does not exist"),
        ("folder", "the file cannot be opened: Is a directory"),
        ("file.txt", "the file is not a SQLite database"),
    ],
)
async def test_a_check_says_the_same_of_a_file_as_the_start(
    name: str, explanation: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").write_text("no database" * 100)
    settings = Settings(database_url=f"sqlite:///{tmp_path / name}")
    with pytest.raises(InvalidSettings) as refused:
        await wait_until_loaded(settings)
    message = f"database_url: the database {tmp_path / name} cannot be used: {explanation}"
    assert str(refused.value) == message
    assert check_storage(settings).errors == refused.value.errors


async def test_a_server_must_have_been_upgraded(postgresql: PostgresqlServer) -> None:
    settings = Settings(database_url=postgresql.create_database())
    with pytest.raises(
        InvalidSettings, match=r"has no schema, and .* run lockgate db upgrade"
    ) as refused:
        await wait_until_loaded(settings)
    assert check_storage(settings).errors == refused.value.errors

    database = create_database(settings)
    database.write_now(upgrade_schema)
    assert database.read_now(read_schema_version).state is SchemaState.CURRENT
    database.close()
    await wait_until_loaded(settings)


async def test_the_schema_of_a_later_version_ends_the_start(database_url: str) -> None:
    settings = Settings(database_url=database_url)
    database = create_database(settings)
    database.write_now(upgrade_schema)
    database.write_now(
        lambda connection: connection.execute(text("UPDATE schema_version SET version_num='9999'"))
    )
    database.close()
    with pytest.raises(
        InvalidSettings, match="database_url: the schema is 9999, which this"
    ) as refused:
        await wait_until_loaded(settings)
    assert check_storage(settings).errors == refused.value.errors


def test_a_check_finds_no_error_in_what_the_start_makes(tmp_path: Path) -> None:
    file = tmp_path / "lockgate.db"
    settings = Settings(database_url=f"sqlite:///{file}")
    assert check_storage(Settings()).errors == []
    assert check_storage(settings).errors == []
    assert not file.exists()
    file.touch()
    assert check_storage(settings).errors == []


async def test_a_server_that_is_down_does_not_prevent_the_start(
    own_postgresql: PostgresqlServer,
) -> None:
    settings = Settings(database_url=own_postgresql.create_database())
    database = create_database(settings)
    database.write_now(upgrade_schema)
    database.close()
    own_postgresql.kill()
    assert check_storage(settings).errors == []
    async with open_storage(settings, Resources()) as storage:
        assert storage is not None
        assert not storage.feed.is_loaded
        own_postgresql.start()
        await wait_until(lambda: storage.feed.is_loaded)


def test_the_driver_of_postgresql_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gateway.storage.postgresql_engine", raising=False)
    monkeypatch.setitem(sys.modules, "gateway.storage.psycopg_internals", None)
    settings = Settings(database_url="postgresql://127.0.0.1/lockgate")
    with pytest.raises(InvalidSettings, match=r"pip install 'lockgate\[postgresql\]'"):
        create_database(settings)


def test_a_check_says_why_a_server_was_not_checked() -> None:
    settings = Settings(database_url="postgresql://jane:hunter2@127.0.0.1:1/lockgate")
    errors, obstacle = check_storage(settings)
    assert errors == []
    assert obstacle == "the database cannot be used: no server listens at 127.0.0.1:1"
