"""The cache in the database: several processes share it, and expired rows are deleted."""

import asyncio
import threading

import pytest
from sqlalchemy import Connection, func, select

from gateway.errors.tree import DatabaseUnavailable
from gateway.replay import ReplayCache, TableReplayCache, table_cache
from gateway.replay.table_cache import MAX_DELETED_ROWS
from gateway.settings.schema import Settings, StorageSettings
from gateway.storage.database import Database
from gateway.storage.open_storage import create_database
from gateway.storage.tables import used_ids
from tests.databases import OpenDatabase, upgrade_database
from tests.postgresql_server import PostgresqlServer


class SettableTime:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SettableTime:
    clock = SettableTime()
    monkeypatch.setattr(table_cache, "time", clock)
    return clock


async def count_rows(database: Database) -> int:
    statement = select(func.count()).select_from(used_ids)
    count: int = await database.read(lambda connection: connection.execute(statement).scalar_one())
    return count


async def test_one_of_fifty_in_several_processes_is_first(
    open_database: OpenDatabase, database: Database
) -> None:
    databases = [database, *(open_database(timeout=20) for _ in range(4))]
    caches: list[ReplayCache] = [TableReplayCache(database) for database in databases]
    for value in ("a", "b", "c"):
        calls = [cache.remember("assertion", value, 60) for cache in caches for _ in range(10)]
        assert (await asyncio.gather(*calls)).count(True) == 1
    assert await count_rows(database) == 3


async def test_a_value_is_remembered_for_its_seconds_and_no_longer(
    database: Database, clock: SettableTime
) -> None:
    cache = TableReplayCache(database)
    assert await cache.remember("assertion", "a", 60)
    assert await cache.remember("proof", "a", 60)
    clock.now += 59.9
    assert not await cache.remember("assertion", "a", 60)
    clock.now += 0.1
    assert await cache.remember("assertion", "a", 60)
    assert not await cache.remember("assertion", "a", 60)


async def test_expired_rows_are_deleted_in_bounded_numbers(
    database: Database, clock: SettableTime
) -> None:
    cache = TableReplayCache(database)
    number = 2 * MAX_DELETED_ROWS
    for value in range(number):
        assert await cache.remember("assertion", str(value), 10)
    assert await cache.remember("assertion", "long", 100)
    clock.now += 50
    assert await cache.remember("assertion", "b", 100)
    assert await count_rows(database) == number + 2 - MAX_DELETED_ROWS
    assert await cache.remember("assertion", "c", 100)
    assert await count_rows(database) == 3
    assert not await cache.remember("assertion", "long", 100)


async def test_a_transaction_that_was_rolled_back_has_used_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: Connection, now: float) -> None:
        raise LookupError

    cache = TableReplayCache(database)
    with monkeypatch.context() as patch:
        patch.setattr(table_cache, "_delete_expired", fail)
        with pytest.raises(LookupError):
            await cache.remember("assertion", "a", 60)
    assert await cache.remember("assertion", "a", 60)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
async def test_transactions_that_delete_the_same_rows_do_not_wait_for_each_other(
    open_database: OpenDatabase, database: Database, clock: SettableTime
) -> None:
    cache = TableReplayCache(database)
    for value in range(5):
        assert await cache.remember("assertion", str(value), 10)
    clock.now += 50
    entered, leave = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        table_cache._delete_expired(connection, clock.now)
        entered.set()
        leave.wait(20)

    holding = asyncio.create_task(open_database(timeout=20).write(hold))
    await asyncio.to_thread(entered.wait, 20)
    try:
        assert await cache.remember("assertion", "b", 60)
    finally:
        leave.set()
        await holding
    assert await count_rows(database) == 1


@pytest.mark.parametrize("is_killed", [False, True], ids=["frozen", "killed"])
async def test_without_the_database_nothing_is_first(
    own_postgresql: PostgresqlServer, is_killed: bool
) -> None:
    storage = StorageSettings(timeout_seconds=0.5)
    url = upgrade_database(own_postgresql.create_database())
    database = create_database(Settings(database_url=url, storage=storage))
    cache = TableReplayCache(database)
    assert await cache.remember("assertion", "a", 60)
    own_postgresql.kill() if is_killed else own_postgresql.pause()
    try:
        async with asyncio.timeout(20):
            with pytest.raises(DatabaseUnavailable):
                await cache.remember("assertion", "b", 60)
    finally:
        own_postgresql.kill()
        await asyncio.to_thread(database.close)
