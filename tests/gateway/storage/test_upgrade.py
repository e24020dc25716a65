"""The schema: created, upgraded, compared with what this version of Lockgate needs."""

import re
import threading

import pytest
from sqlalchemy import Connection, inspect, text

from gateway.storage.schema_version import (
    SchemaState,
    SchemaVersion,
    list_revisions,
    read_schema_version,
)
from gateway.storage.tables import metadata
from gateway.storage.upgrade import UnknownSchema, upgrade_schema
from tests.databases import OpenDatabase


def describe_tables(connection: Connection) -> dict[str, list[tuple[str, bool]]]:
    inspector = inspect(connection)
    return {
        table: [(column["name"], column["nullable"]) for column in inspector.get_columns(table)]
        for table in metadata.tables
    }


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
    threads = [
        threading.Thread(
            target=lambda: found.append(open_database(timeout=20).write_now(upgrade_schema))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(version.state.value for version in found) == ["current"] * 3 + ["empty"]


def test_an_upgrade_that_fails_changes_nothing(open_database: OpenDatabase) -> None:
    database = open_database()

    def fail(connection: Connection) -> None:
        upgrade_schema(connection)
        raise LookupError

    with pytest.raises(LookupError):
        database.write_now(fail)
    assert database.read_now(lambda connection: inspect(connection).get_table_names()) == []


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
