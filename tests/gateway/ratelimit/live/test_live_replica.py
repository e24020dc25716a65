"""Other processes follow the database: resets, and the restore of a backup."""

import shutil
from pathlib import Path

import pytest

from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.live.errors import InvalidDocument
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy_in_force import Block
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


async def test_a_reset_clears_the_counts_of_a_caller_in_all_processes(
    database: Database, open_database: OpenDatabase
) -> None:
    processes = open_processes(open_database)
    await refresh_all(processes)  # the journal is empty

    async def count(process: LiveProcess, partition: str) -> int:
        rules = process.find_rules("pages")
        assert not isinstance(rules, Block)
        charges = [Charge(rule, make_key(rule, partition)) for rule in rules]
        return (await process.limiter.check(charges)).standings[0].remaining

    for process in processes:
        for partition in (USER, "user:2"):
            assert [await count(process, partition) for _ in range(2)] == [119, 118]
    await processes[0].limits.reset("pages", USER, JANE)
    await refresh_all(processes)
    for process in processes:
        assert await count(process, USER) == 119
        assert await count(process, "user:2") == 117
    await refresh_all(processes)
    assert await count(processes[1], USER) == 118
    with pytest.raises(InvalidDocument, match=r"key: pages counts per user"):
        await processes[0].limits.reset("pages", "address:192.0.2.1", JANE)


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
