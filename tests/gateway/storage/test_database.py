"""Transactions: bounded in number and time, and what happens when the database is unavailable."""

import asyncio
import logging
import os
import re
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from gateway.errors.tree import DatabaseUnavailable
from gateway.settings.schema import Settings, StorageSettings
from gateway.storage import database as database_module
from gateway.storage.database import Database, DatabaseState
from gateway.storage.engine import is_sqlite
from gateway.storage.journal import Change, append_change, read_head
from gateway.storage.open_storage import create_database
from gateway.storage.upgrade import upgrade_schema
from tests.databases import OpenDatabase, create_file, upgrade_database
from tests.postgresql_server import PostgresqlServer


def append(connection: Connection) -> int:
    return append_change(connection, Change("jane", "client.add", "bff"))


def hold_open(entered: threading.Event, leave: threading.Event) -> Callable[[Connection], int]:
    def transaction(connection: Connection) -> int:
        seq = append(connection)
        entered.set()
        leave.wait(20)
        return seq

    return transaction


@pytest.fixture
def no_cooldown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "COOLDOWN_SECONDS", 0)


async def test_a_transaction_is_committed_if_it_returns(database: Database) -> None:
    assert await database.write(append) == 1
    assert (await database.read(read_head)).seq == 1
    assert "ok" in repr(database)


async def test_a_mistake_is_raised_as_it_is_and_rolled_back(database: Database) -> None:
    def fail(connection: Connection) -> None:
        append(connection)
        raise LookupError("a mistake")

    with pytest.raises(LookupError, match="a mistake"):
        await database.write(fail)
    assert (await database.read(read_head)).seq == 0
    assert database.state is DatabaseState.OK


async def test_a_transaction_that_reads_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)read-?only"):
        await database.read(append)
    assert database.state is DatabaseState.OK
    assert (await database.read(read_head)).seq == 0


async def test_a_transaction_is_rolled_back_when_its_time_is_over(
    open_database: OpenDatabase, database: Database, no_cooldown: None
) -> None:
    entered, leave = threading.Event(), threading.Event()
    slow = open_database(timeout=0.1)
    writing = asyncio.create_task(slow.write(hold_open(entered, leave)))
    await asyncio.to_thread(entered.wait, 10)
    with pytest.raises(DatabaseUnavailable):
        await writing
    leave.set()
    assert await database.write(append) == 1


async def test_a_caller_that_goes_away_leaves_its_slot_occupied_until_the_end(
    database: Database,
) -> None:
    entered, leave = threading.Event(), threading.Event()
    writing = asyncio.create_task(database.write(hold_open(entered, leave)))
    await asyncio.to_thread(entered.wait, 10)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    leave.set()
    # Its transaction has ended, so the next one waits for it and follows.
    assert await database.write(append) == 2


async def test_more_transactions_than_threads_wait(database: Database) -> None:
    seqs = await asyncio.gather(*(database.write(append) for _ in range(30)))
    assert sorted(seqs) == list(range(1, 31))


async def test_a_wait_for_a_thread_is_bounded(
    open_database: OpenDatabase, no_cooldown: None
) -> None:
    leave = threading.Event()
    database = open_database(timeout=0.5)
    # Each holds a thread, and no lock, whose wait would end by itself.
    holding = [
        asyncio.create_task(database.read(lambda _: leave.wait(20)))
        for _ in range(1 if is_sqlite(database.engine) else 4)
    ]
    await asyncio.sleep(0)
    with pytest.raises(DatabaseUnavailable) as caught:
        await database.read(read_head)
    assert caught.value.explanation == "all connections are in use"
    leave.set()
    await asyncio.gather(*holding, return_exceptions=True)


async def test_a_server_that_is_killed_and_comes_back(
    own_postgresql: PostgresqlServer, no_cooldown: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.storage")
    url = await asyncio.to_thread(upgrade_database, own_postgresql.create_database())
    database = create_database(Settings(database_url=url))
    assert await database.write(append) == 1

    own_postgresql.kill()
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable) as caught:
            await database.write(append)
        assert re.search("reached|listens|lost|stopping", caught.value.explanation)
    assert "unavailable" in repr(database)

    own_postgresql.start()
    assert await database.write(append) == 2
    assert database.state is DatabaseState.OK
    events = [record.getMessage() for record in caplog.records]
    assert sum("database.unavailable" in event for event in events) == 1
    assert sum("database.recovered" in event for event in events) == 1
    assert "postgresql://" not in caplog.text
    database.close()


async def test_a_server_that_is_frozen(own_postgresql: PostgresqlServer, no_cooldown: None) -> None:
    storage = StorageSettings(timeout_seconds=0.3)
    url = await asyncio.to_thread(upgrade_database, own_postgresql.create_database())
    database = create_database(Settings(database_url=url, storage=storage))
    own_postgresql.pause()
    try:
        for _ in range(5):
            with pytest.raises(DatabaseUnavailable):
                await database.write(append)
    finally:
        own_postgresql.resume()
    deadline = asyncio.get_running_loop().time() + 20
    while True:
        try:
            await database.write(append)
            break
        except DatabaseUnavailable:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.1)
    database.close()


def test_a_deadlock_is_no_mistake_of_the_gateway(postgresql: PostgresqlServer) -> None:
    database = create_database(Settings(database_url=postgresql.create_database()))
    raise_deadlock = text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$")
    with pytest.raises(DatabaseUnavailable) as caught:
        database.write_now(lambda connection: connection.execute(raise_deadlock))
    assert "conflicts with another" in caught.value.explanation
    database.close()


async def test_after_a_failure_calls_fail_at_once(own_postgresql: PostgresqlServer) -> None:
    database = create_database(Settings(database_url=own_postgresql.create_database()))
    own_postgresql.kill()
    with pytest.raises(DatabaseUnavailable):
        await database.read(read_head)

    calls = list[Connection]()
    with pytest.raises(DatabaseUnavailable) as caught:
        await database.read(calls.append)
    assert caught.value.explanation == "it was unavailable a moment ago"
    assert not calls
    database.close()


@pytest.mark.parametrize(
    ("damage", "explanation"),
    [
        (lambda path: path.write_bytes(b"no database" * 100), "is not a SQLite database"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be opened"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, damage: object, explanation: str) -> None:
    path = tmp_path / "lockgate.db"
    database = create_database(Settings(database_url=f"sqlite:///{path}"))
    database.write_now(upgrade_schema)
    database.close()
    damage(path)  # type: ignore[operator]

    database = create_database(Settings(database_url=f"sqlite:///{path}"))
    with pytest.raises(DatabaseUnavailable) as caught:
        database.write_now(append)
    assert explanation in caught.value.explanation
    assert str(path) not in caught.value.explanation
    database.close()


def test_a_file_that_another_process_has_locked(tmp_path: Path) -> None:
    url = create_file(tmp_path)
    impatient = create_database(
        Settings(database_url=url, storage=StorageSettings(timeout_seconds=0.1))
    )
    other = sqlite3.connect(tmp_path / "lockgate.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(DatabaseUnavailable) as caught:
        impatient.write_now(append)
    assert caught.value.explanation == "it is locked by another process"
    other.execute("ROLLBACK")
    other.close()
    impatient.close()
    database = create_database(Settings(database_url=url))
    assert database.write_now(append) == 1
    database.close()


def test_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "lockgate.db"
    mask = os.umask(0)
    try:
        database = create_database(Settings(database_url=f"sqlite:///{path}"))
        database.write_now(upgrade_schema)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    database.close()


def test_a_commit_to_a_file_is_on_the_disk(tmp_path: Path) -> None:
    database = create_database(Settings(database_url=f"sqlite:///{tmp_path}/lockgate.db"))

    def read_pragmas(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "secure_delete", "foreign_keys")
        return [connection.scalar(text(f"PRAGMA {name}")) for name in names]

    assert database.read_now(read_pragmas) == ["delete", 3, 1, 1]
    database.close()
