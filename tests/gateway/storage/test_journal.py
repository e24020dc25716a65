"""The journal: one chain of all changes, which no statement changes afterwards."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from gateway.storage.database import Database
from gateway.storage.journal import Change, append_change, read_entries, read_head
from gateway.storage.verify_journal import JournalDamaged, verify_journal
from tests.databases import OpenDatabase


def append(number: int) -> Callable[[Connection], int]:
    details = {"scopes": ["a", "ä"], "number": number}
    change = Change("jane", "client.add", f"client-{number}", "ticket 7", details)
    return lambda connection: append_change(connection, change)


def run_unguarded(database: Database, statement: str) -> None:
    """Run a statement as someone who may remove the triggers of the table."""

    def run(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE journal DISABLE TRIGGER ALL"))
        else:
            triggers = connection.scalars(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            ).all()
            for name in triggers:
                connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(statement))

    database.write_now(run)


def test_entries_follow_each_other_and_are_read_as_they_were_written(database: Database) -> None:
    assert [database.write_now(append(number)) for number in range(3)] == [1, 2, 3]

    entries = database.read_now(lambda connection: read_entries(connection, after=1, limit=10))
    assert [entry.change.subject for entry in entries] == ["client-1", "client-2"]
    assert entries[0].change == Change(
        "jane", "client.add", "client-1", "ticket 7", {"scopes": ["a", "ä"], "number": 1}
    )
    assert entries[1].previous_hash == entries[0].hash
    assert database.read_now(verify_journal) == (3, entries[1].hash)


def test_an_empty_journal_is_whole(database: Database) -> None:
    assert database.read_now(verify_journal).seq == 0
    assert database.read_now(read_head).seq == 0
    assert database.read_now(read_head) == (0, bytes(32))


def test_a_change_that_fails_leaves_no_entry(database: Database) -> None:
    def fail(connection: Connection) -> None:
        append(0)(connection)
        raise LookupError

    with pytest.raises(LookupError):
        database.write_now(fail)
    assert database.read_now(read_head).seq == 0


def test_several_processes_write_one_chain_without_a_gap(
    database: Database, open_database: OpenDatabase
) -> None:
    def append_many() -> None:
        other = open_database(timeout=20)
        for number in range(25):
            other.write_now(append(number))

    threads = [threading.Thread(target=append_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read_now(verify_journal).seq == 100


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET actor = 'someone else'",
        "DELETE FROM journal",
        "DELETE FROM journal WHERE seq = 2",
        "TRUNCATE journal",
        "INSERT OR REPLACE INTO journal SELECT * FROM journal",
        "INSERT INTO journal SELECT * FROM journal",
    ],
)
def test_the_database_refuses_a_change_of_an_entry(database: Database, statement: str) -> None:
    for number in range(3):
        database.write_now(append(number))
    head = database.read_now(verify_journal)

    with pytest.raises(DBAPIError):
        database.write_now(lambda connection: connection.execute(text(statement)))
    assert database.read_now(verify_journal) == head


@pytest.mark.parametrize(
    ("statement", "seq", "message"),
    [
        ("UPDATE journal SET actor = 'joe' WHERE seq = 2", 2, "has been changed"),
        ("UPDATE journal SET details = '{}' WHERE seq = 3", 3, "has been changed"),
        ("UPDATE journal SET at = at + 1 WHERE seq = 1", 1, "has been changed"),
        ("DELETE FROM journal WHERE seq = 1", 1, "is missing"),
        ("DELETE FROM journal WHERE seq = 2", 2, "is missing"),
        ("UPDATE journal SET hash = previous_hash WHERE seq = 2", 2, "has been changed"),
        ("UPDATE journal SET previous_hash = hash WHERE seq = 2", 2, "does not follow"),
    ],
)
def test_a_change_around_the_triggers_is_found(
    database: Database, statement: str, seq: int, message: str
) -> None:
    for number in range(3):
        database.write_now(append(number))
    run_unguarded(database, statement)

    with pytest.raises(JournalDamaged, match=message) as caught:
        database.read_now(verify_journal)
    assert caught.value.seq == seq


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="reason has 1001 characters; at most 1000 fit"):
        Change("jane", "client.add", "x", "r" * 1_001)
