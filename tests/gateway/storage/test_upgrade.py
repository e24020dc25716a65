"""The schema: created, upgraded, compared with what this version of Lockgate needs."""

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from alembic import command
from sqlalchemy import (
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    func,
    insert,
    inspect,
    select,
    text,
)

from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings
from gateway.storage.database import Database
from gateway.storage.engine import is_sqlite
from gateway.storage.journal import Change, append_change
from gateway.storage.open_storage import open_storage
from gateway.storage.schema_version import (
    SchemaState,
    SchemaVersion,
    create_alembic_config,
    list_revisions,
    read_schema_version,
)
from gateway.storage.tables import metadata
from gateway.storage.upgrade import UnknownSchema, upgrade_schema
from gateway.storage.verify_journal import verify_journal
from tests.databases import OpenDatabase, wait_until


def describe_tables(connection: Connection) -> dict[str, list[tuple[str, bool]]]:
    inspector = inspect(connection)
    return {
        table: [(column["name"], column["nullable"]) for column in inspector.get_columns(table)]
        for table in metadata.tables
    }


def upgrade_to(connection: Connection, revision: str) -> None:
    """Run the migrations up to a revision, as the version of Lockgate that had it did."""
    config = create_alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def add_rows(connection: Connection) -> None:
    """Add an entry to the journal, and a row to each other table that has none."""
    append_change(connection, Change("jane", "client.add", "bff"))
    present = MetaData()
    present.reflect(connection)
    for name, table in present.tables.items():
        if connection.scalar(select(func.count()).select_from(table)) == 0:
            assert name in metadata.tables
            values: dict[str, Any] = {}
            for column in table.columns:
                is_number = isinstance(column.type, Integer)
                is_bytes = isinstance(column.type, LargeBinary)
                values[column.name] = 7 if is_number else b"some" if is_bytes else "some"
            connection.execute(insert(table).values(values))


def count_rows(connection: Connection) -> dict[str, int]:
    present = MetaData()
    present.reflect(connection)
    return {
        name: connection.scalar(select(func.count()).select_from(table)) or 0
        for name, table in present.tables.items()
    }


def run_at_once(function: Callable[[], object], number: int) -> None:
    threads = [threading.Thread(target=function) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def create_old(open_database: OpenDatabase) -> Database:
    """Create a database with the schema of the first migration, and data."""
    database = open_database()
    database.write_now(partial(upgrade_to, revision=list_revisions()[0]))
    database.write_now(add_rows)
    return database


def test_an_empty_database_is_upgraded_once(open_database: OpenDatabase) -> None:
    database = open_database()
    assert database.read_now(read_schema_version).state is SchemaState.EMPTY

    assert database.write_now(upgrade_schema).state is SchemaState.EMPTY
    assert database.read_now(read_schema_version).state is SchemaState.CURRENT
    assert database.write_now(upgrade_schema).state is SchemaState.CURRENT


def test_the_migrations_create_the_tables_of_the_code(open_database: OpenDatabase) -> None:
    database = open_database()
    database.write_now(upgrade_schema)
    assert database.read_now(describe_tables) == {
        name: [(column.name, bool(column.nullable)) for column in table.columns]
        for name, table in metadata.tables.items()
    }


def test_processes_that_upgrade_at_once_wait_for_each_other(open_database: OpenDatabase) -> None:
    found = list[SchemaVersion]()
    run_at_once(lambda: found.append(open_database(timeout=20).write_now(upgrade_schema)), 4)
    assert sorted(version.state.value for version in found) == ["current"] * 3 + ["empty"]


def test_each_migration_keeps_the_rows_of_those_before_it(open_database: OpenDatabase) -> None:
    database = create_old(open_database)
    for revision in list_revisions()[1:]:
        before = database.read_now(count_rows)
        database.write_now(partial(upgrade_to, revision=revision))
        assert before.items() <= database.read_now(count_rows).items()
        database.write_now(add_rows)
    assert database.read_now(read_schema_version).state is SchemaState.CURRENT
    assert all(database.read_now(count_rows)[name] for name in metadata.tables)
    assert database.read_now(verify_journal).seq == len(list_revisions())


def test_two_upgrades_at_once_of_the_first_schema_with_data(open_database: OpenDatabase) -> None:
    database, found = create_old(open_database), list[SchemaVersion]()
    before = database.read_now(count_rows)
    run_at_once(lambda: found.append(open_database(timeout=20).write_now(upgrade_schema)), 2)
    assert sorted(it.state.value for it in found) == ["current", "old"]
    assert before.items() <= database.read_now(count_rows).items()
    assert database.read_now(verify_journal).seq == 1
    assert database.write_now(partial(append_change, change=Change("jane", "a", "b"))) == 2


async def test_two_gateways_that_start_at_once_on_the_first_schema(
    database_url: str, open_database: OpenDatabase
) -> None:
    """They upgrade a file; a server is for `lockgate db upgrade`, which they name."""
    old = create_old(open_database)

    async def start() -> None:
        async with open_storage(Settings(database_url=database_url), Resources()) as storage:
            assert storage is not None
            await wait_until(lambda: storage.feed.is_loaded)

    if not is_sqlite(old.engine):
        with pytest.raises(InvalidSettings, match=r"has the schema 0001, .* lockgate db upgrade"):
            await start()
        old.write_now(upgrade_schema)
    await asyncio.gather(start(), start())
    assert old.read_now(read_schema_version).state is SchemaState.CURRENT
    assert old.read_now(verify_journal).seq == 1


def test_an_upgrade_that_fails_changes_nothing(open_database: OpenDatabase) -> None:
    database = open_database()

    def fail(connection: Connection) -> None:
        upgrade_schema(connection)
        raise LookupError

    with pytest.raises(LookupError):
        database.write_now(fail)
    assert database.read_now(lambda connection: inspect(connection).get_table_names()) == []


def test_alembic_logs_neither_the_check_nor_the_upgrade(
    open_database: OpenDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    database = open_database()
    database.read_now(read_schema_version)
    database.write_now(upgrade_schema)
    assert [it.name for it in caplog.records if it.name.startswith("alembic")] == []


def test_the_schema_of_a_later_version_is_refused(open_database: OpenDatabase) -> None:
    database = open_database()
    database.write_now(upgrade_schema)
    database.write_now(
        lambda connection: connection.execute(text("UPDATE schema_version SET version_num='9999'"))
    )

    with pytest.raises(UnknownSchema, match="the schema is 9999, which this version") as caught:
        database.write_now(upgrade_schema)
    assert f"its newest is {list_revisions()[-1]}; install" in str(caught.value)


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        (None, "has no schema, and .* run lockgate db upgrade"),
        (list_revisions()[-1], "the schema is current"),
        ("9999", "install the version that made it, or a later one"),
    ],
)
def test_a_version_says_how_to_go_on(revision: str | None, words: str) -> None:
    version = SchemaVersion(revision, list_revisions()[-1])
    assert re.search(words, str(version))
