"""Replicas in memory follow the database, in whichever process it is changed."""

import asyncio
import logging
import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, text

from gateway.api_keys.api_key import ApiKey, hash_text
from gateway.api_keys.key_table import add_key
from gateway.api_keys.key_verifier import KeyVerifier
from gateway.auth.clock import Clock
from gateway.errors.tree import DatabaseUnavailable, Unauthenticated
from gateway.oauth.client import OAuthClient
from gateway.oauth.client_registry import ClientRegistry
from gateway.oauth.client_table import add_client
from gateway.settings.schema import Settings, StorageSettings
from gateway.storage import database as database_module
from gateway.storage.change_feed import ChangeFeed, Page
from gateway.storage.database import Database
from gateway.storage.journal import Author, Change, append_change, read_entries
from gateway.storage.open_storage import create_database
from gateway.storage.tables import journal
from tests.databases import OpenDatabase, create_file, upgrade_database, wait_until
from tests.postgresql_server import PostgresqlServer


class Subjects:
    """A replica of the subjects of all entries."""

    def __init__(self) -> None:
        self.loads = 0
        self.subjects = list[str]()

    def load(self, connection: Connection, after: int) -> Sequence[str]:
        self.loads += 1
        entries = read_entries(connection, after=after, limit=100)
        return [entry.change.subject for entry in entries]

    def apply(self, loaded: Sequence[str]) -> None:
        self.subjects.extend(loaded)


class PagedSubjects(Subjects):
    """The same, two of them at a time."""

    def load(self, connection: Connection, after: int) -> Any:
        self.loads += 1
        entries = read_entries(connection, after=after, limit=2)
        subjects = [entry.change.subject for entry in entries]
        return Page(subjects, entries[-1].seq) if len(entries) == 2 else subjects

    def apply(self, loaded: Any) -> None:
        super().apply(loaded.changes if isinstance(loaded, Page) else loaded)


def add(database: Database, subject: str) -> None:
    change = Change("jane", "client.add", subject)
    database.write_now(lambda connection: append_change(connection, change))


def remove_journal(connection: Connection) -> None:
    """Empty the journal, whose triggers refuse that, as the restore of a backup can."""
    is_postgresql = connection.dialect.name == "postgresql"
    on = " ON journal" if is_postgresql else ""
    names = ["change", "truncate"] if is_postgresql else ["delete"]
    for name in names:
        connection.execute(text(f"DROP TRIGGER journal_refuses_{name}{on}"))
    connection.execute(delete(journal))


async def test_a_change_by_another_process_is_loaded_once(
    database: Database, open_database: OpenDatabase
) -> None:
    feed, replica = ChangeFeed(database, Clock(), poll_seconds=0.05), Subjects()
    feed.add(replica)
    assert not feed.is_loaded
    await feed.refresh()
    assert feed.is_loaded
    assert replica.subjects == []

    other = open_database()
    add(other, "bff")
    add(other, "jobs")
    await feed.refresh()
    await feed.refresh()
    assert replica.subjects == ["bff", "jobs"]
    assert replica.loads == 2


async def test_the_feed_polls_until_it_is_cancelled(
    database: Database, open_database: OpenDatabase
) -> None:
    feed, replica = ChangeFeed(database, Clock(), poll_seconds=0.01), Subjects()
    feed.add(replica)
    task = asyncio.create_task(feed.watch())
    await asyncio.to_thread(add, open_database(), "bff")
    await wait_until(lambda: "seqs=[1]" in repr(feed))  # the feed counts what it has applied
    assert replica.subjects
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class SteppingClock(Clock):
    """A clock on which each read takes `read_seconds`; the third sleep ends the watch."""

    def __init__(self, read_seconds: float) -> None:
        self.time = 0.0
        self.read_seconds = read_seconds
        self.sleeps = list[float]()

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if len(self.sleeps) == 3:
            raise asyncio.CancelledError


class SlowSubjects(Subjects):
    """A replica that takes its time, and always has an error, so that each read loads it."""

    def __init__(self, clock: SteppingClock) -> None:
        super().__init__()
        self.clock = clock

    def load(self, connection: Connection, after: int) -> Sequence[str]:
        self.clock.time += self.clock.read_seconds
        raise ValueError


@pytest.mark.parametrize(("read_seconds", "pause"), [(0, 1), (0.25, 0.75), (9, 0.5)])
async def test_a_read_takes_a_part_of_the_interval(
    database: Database, read_seconds: float, pause: float
) -> None:
    """Half of it stays a pause, whatever the read takes."""
    clock = SteppingClock(read_seconds)
    feed = ChangeFeed(database, clock, poll_seconds=1)
    feed.add(SlowSubjects(clock))
    with pytest.raises(asyncio.CancelledError):
        await feed.watch()
    assert clock.sleeps == [pause] * 3


@pytest.mark.parametrize("restored", ["", "a", "ab", "abc"])
async def test_another_journal_is_loaded_from_its_beginning(
    restored: str, database: Database, open_database: OpenDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """As after the restore of a backup, whether or not the changes since then are as many."""
    feed, replica, pages = (
        ChangeFeed(database, Clock(), poll_seconds=1),
        Subjects(),
        PagedSubjects(),
    )
    feed.add(replica)
    feed.add(pages)
    add(database, "x")
    add(database, "y")
    await feed.refresh()
    other = open_database()
    other.write_now(remove_journal)
    for subject in restored:
        add(other, subject)
    with caplog.at_level(logging.WARNING, "lockgate.storage"):
        await feed.refresh()
        await feed.refresh()
    assert replica.subjects == pages.subjects == [*"xy", *restored]
    assert caplog.text.count("database.restored") == 1


async def test_what_the_restored_backup_lacks_is_no_longer_accepted(tmp_path: Path) -> None:
    url, backup = create_file(tmp_path), tmp_path / "backup.db"
    path, now = tmp_path / "lockgate.db", time.time()
    shutil.copy(path, backup)
    database, author = create_database(Settings(database_url=url)), Author("jane")
    key = ApiKey("k1", "export", hash_text("lk_a"), ("a",), now, now + 600)
    client = OAuthClient("bff", ("a",), (), ({"kid": "1"},), now)
    database.write_now(partial(add_key, key=key, author=author))
    database.write_now(partial(add_client, client=client, author=author))
    feed, keys, clients = (
        ChangeFeed(database, Clock(), poll_seconds=1),
        KeyVerifier(),
        ClientRegistry(),
    )
    feed.add(keys)
    feed.add(clients)
    await feed.refresh()
    assert keys.verify("lk_a", now).token_id == "k1"
    assert clients.find("bff") is not None

    database.engine.dispose()
    shutil.copy(backup, path)
    await feed.refresh()
    with pytest.raises(Unauthenticated):
        keys.verify("lk_a", now)
    assert clients.find("bff") is None
    database.close()


async def test_without_its_database_a_replica_stays_in_force(
    own_postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "COOLDOWN_SECONDS", 0)
    storage = StorageSettings(timeout_seconds=1)
    url = await asyncio.to_thread(upgrade_database, own_postgresql.create_database())
    database = create_database(Settings(database_url=url, storage=storage))
    await asyncio.to_thread(add, database, "bff")
    feed, replica = ChangeFeed(database, Clock(), poll_seconds=0.01), Subjects()
    feed.add(replica)
    task = asyncio.create_task(feed.watch())
    try:
        await wait_until(lambda: bool(replica.subjects))
        own_postgresql.kill()
        with pytest.raises(DatabaseUnavailable):
            await feed.refresh()
        age = feed.age
        await asyncio.sleep(0.05)
        assert feed.age > age
        assert replica.subjects == ["bff"]

        own_postgresql.start()
        await asyncio.to_thread(_add_when_possible, database, "jobs")
        await wait_until(lambda: replica.subjects == ["bff", "jobs"])
    finally:
        task.cancel()
        await asyncio.wait({task})
        await asyncio.to_thread(database.close)


def _add_when_possible(database: Database, subject: str) -> None:
    for _ in range(100):
        try:
            add(database, subject)
        except DatabaseUnavailable:
            continue
        return
    pytest.fail("the database does not come back")


async def test_a_replica_that_is_added_during_a_read_is_loaded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database, "bff")
    feed, early, late = ChangeFeed(database, Clock(), poll_seconds=1), Subjects(), Subjects()
    feed.add(early)
    load = early.load

    def load_and_add(connection: Connection, after: int) -> Sequence[str]:
        feed.add(late)
        return load(connection, after)

    monkeypatch.setattr(early, "load", load_and_add)
    await feed.refresh()
    assert not feed.is_loaded
    await feed.refresh()
    assert feed.is_loaded
    assert (early.subjects, late.subjects) == (["bff"], ["bff"])


@pytest.mark.parametrize("subjects", ["abcde", "abcd"])
async def test_many_changes_are_loaded_in_pages(database: Database, subjects: str) -> None:
    feed = ChangeFeed(database, Clock(), poll_seconds=1)
    replica, other = PagedSubjects(), Subjects()
    feed.add(replica)
    feed.add(other)
    for subject in subjects:
        add(database, subject)
    assert not await feed._read()
    assert not feed.is_loaded
    await feed.refresh()
    assert feed.is_loaded
    assert replica.subjects == other.subjects == list(subjects)
    assert (replica.loads, other.loads) == (3, 1)


async def test_a_read_that_began_earlier_does_not_undo_a_later_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, replica = ChangeFeed(database, Clock(), poll_seconds=1), Subjects()
    feed.add(replica)
    read, is_slow = database.read, [True, False]

    async def delay_first(transaction: Any) -> Any:
        result = await read(transaction)
        if is_slow.pop(0):
            await asyncio.to_thread(add, database, "bff")
            await asyncio.sleep(0.05)
        return result

    monkeypatch.setattr(database, "read", delay_first)
    await asyncio.gather(feed.refresh(), feed.refresh())
    assert replica.subjects == ["bff"]
    assert "seqs=[1]" in repr(feed)


async def test_what_cannot_be_read_stays_as_it_was_and_all_else_goes_on(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    author, now = Author("jane"), time.time()
    client = OAuthClient("bff", ("a",), (), ({"kid": "1"},), now)
    database.write_now(partial(add_client, client=client, author=author))
    feed, clients, others = (
        ChangeFeed(database, Clock(), poll_seconds=1),
        ClientRegistry(),
        Subjects(),
    )
    feed.add(clients, "clients")
    feed.add(others)
    await feed.refresh()

    edit = "UPDATE clients SET secrets = '{', seq = seq + 1"
    database.write_now(lambda connection: connection.execute(text(edit)))
    add(database, "x")
    with caplog.at_level(logging.INFO, "lockgate.storage"):
        await feed.refresh()
        await feed.refresh()
        assert others.subjects == ["bff", "x"]
        assert clients.find("bff") is not None
        assert list(feed.failures) == ["clients"]
        repair = "UPDATE clients SET secrets = '[]'"
        database.write_now(lambda connection: connection.execute(text(repair)))
        await feed.refresh()
    assert feed.failures == {}
    assert caplog.text.count("database.unreadable") == 1
    assert caplog.text.count("database.readable") == 1


async def test_a_failed_statement_and_a_failed_change_stop_no_other_replica(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, one, two, three = (
        ChangeFeed(database, Clock(), poll_seconds=1),
        *[Subjects() for _ in "abc"],
    )
    monkeypatch.setattr(
        one, "load", lambda connection, _: connection.scalar(text("SELECT 1 FROM ("))
    )
    monkeypatch.setattr(two, "apply", lambda _: 1 / 0)
    feed.add(one, "one")
    feed.add(two, "two")
    feed.add(three, "three")
    add(database, "x")
    await feed.refresh()
    assert three.subjects == ["x"]
    assert list(feed.failures) == ["one", "two"]
    assert not feed.is_loaded


async def test_a_file_that_is_replaced_is_read_and_one_that_is_removed_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "COOLDOWN_SECONDS", 0)
    (tmp_path / "other").mkdir()
    settings, other = (
        Settings(database_url=create_file(folder)) for folder in (tmp_path, tmp_path / "other")
    )
    path, backup = tmp_path / "lockgate.db", tmp_path / "other" / "lockgate.db"
    database, replacing = create_database(settings), create_database(other)
    add(database, "x")
    add(replacing, "y")
    await asyncio.to_thread(replacing.close)
    feed, replica = ChangeFeed(database, Clock(), poll_seconds=1), Subjects()
    feed.add(replica)
    await feed.refresh()

    kept = path.read_bytes()
    path.unlink()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable) as caught:
            await feed.refresh()
        assert caught.value.explanation == "the file cannot be opened: No such file or directory"
    with pytest.raises(DatabaseUnavailable):
        await database.write(lambda it: append_change(it, Change("jane", "client.add", "z")))
    assert not path.exists()

    path.write_bytes(kept)
    add(database, "z")
    await feed.refresh()
    assert replica.subjects == ["x", "z"]

    backup.rename(path)
    await feed.refresh()
    assert replica.subjects == ["x", "z", "y"]
    await asyncio.to_thread(database.close)
