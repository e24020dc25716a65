"""Other processes follow the database: resets, and the restore of a backup."""

import shutil
from pathlib import Path
from unittest.mock import Mock, call

import pytest

from gateway.ratelimit.live import live_replica
from gateway.ratelimit.live.change_errors import InvalidDocument
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from gateway.settings.schema import Settings
from gateway.storage.database import Database
from gateway.storage.open_storage import create_database
from tests.databases import OpenDatabase, create_file
from tests.gateway.ratelimit.live.live_process import (
    JANE,
    USER,
    LiveProcess,
    open_processes,
    refresh_all,
)

NO_REDIS = "redis://127.0.0.1:1"


async def test_a_reset_clears_the_counts_of_a_caller_in_all_processes(
    database: Database, open_database: OpenDatabase
) -> None:
    processes = open_processes(open_database)
    await refresh_all(processes)  # the journal is empty

    for process in processes:
        for partition in (USER, "user:2"):
            assert [await process.count("pages", partition) for _ in range(2)] == [119, 118]
    await processes[0].limits.reset("pages", USER, JANE)
    await refresh_all(processes)
    for process in processes:
        assert await process.count("pages", USER) == 119
        assert await process.count("pages", "user:2") == 117
    await refresh_all(processes)
    assert await processes[1].count("pages", USER) == 118
    with pytest.raises(InvalidDocument, match=r"key: pages counts per user"):
        await processes[0].limits.reset("pages", "address:192.0.2.1", JANE)


async def test_each_process_notes_a_reset_for_its_recording(
    database: Database, open_database: OpenDatabase
) -> None:
    """The states of these keys are recorded anew, so that simulations leave out little."""
    here = LiveProcess(open_database())
    there = LiveProcess(open_database(), limiter=RedisLimiter(NO_REDIS, timeout=1, retry=1))
    observer = Mock()
    there.limiter.set_observer(observer)
    await refresh_all([here, there])
    await here.limits.reset("pages", USER, JANE)
    await there.refresh()
    assert observer.forget.mock_calls == [call(f"lockgate:{{{USER}}}:pages:")]
    there.replica.repeat_resets()  # once Redis is cleared
    assert len(observer.forget.mock_calls) == 2


async def test_a_restored_backup_is_followed(tmp_path: Path) -> None:
    url, backup = create_file(tmp_path), tmp_path / "backup.db"
    database = create_database(Settings(database_url=url))
    process = LiveProcess(database)
    await process.change("pages", rate="9/minute")
    shutil.copy(tmp_path / "lockgate.db", backup)
    await process.change("pages", rate="8/minute")
    await process.change("orders", rate="8/minute")
    shutil.copy(backup, tmp_path / "lockgate.db")
    await process.refresh()
    assert process.list_quotas("pages") == [9]
    assert process.list_quotas("orders") == [10, 100]
    assert process.limits.get("pages").version == 1
    assert process.limits.get("orders").version == 0
    assert await process.change("pages", rate="7/minute") == 2
    assert process.list_quotas("pages") == [7]
    database.close()


async def test_a_reset_is_repeated_once_redis_is_cleared(
    database: Database, open_database: OpenDatabase
) -> None:
    """Between the two, the process may have got and remembered another refusal."""
    here, there = open_processes(open_database)
    await refresh_all([here, there])
    await here.limits.reset("pages", USER, JANE)
    await there.refresh()
    for expected in (119, 118):
        assert await there.count("pages", USER) == expected
    there.replica.repeat_resets()
    assert await there.count("pages", USER) == 119
    await here.limits.reset("pages", "user:2", JANE)
    await there.refresh()
    assert await there.count("pages", USER) == 119  # a later reset takes no repetition from it
    there.clock.time += 60
    there.replica.repeat_resets()
    assert await there.count("pages", USER) == 118


async def test_many_resets_are_read_in_pages(
    database: Database, open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_replica, "_RESETS_AT_ONCE", 2)
    here, there = open_processes(open_database)
    await refresh_all([here, there])
    keys = [f"user:{number}" for number in range(5)]
    for key in keys:
        assert await there.count("pages", key) == 119
        await here.limits.reset("pages", key, JANE)
    await here.change("pages", rate="90/minute")
    await there.refresh()
    assert [await there.count("pages", key) for key in keys] == [89] * 5
