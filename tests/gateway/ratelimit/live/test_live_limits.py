"""Changes while traffic runs: in force here at once, and in the other processes with a poll."""

import asyncio
from functools import partial
from typing import Any

import pytest

from gateway.errors.tree import DatabaseUnavailable
from gateway.ratelimit.live.change_errors import (
    InvalidDocument,
    NoDatabase,
    UnknownPolicy,
    UnknownVersion,
    VersionConflict,
)
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.live.stored_limit import read_limit
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import Block
from gateway.settings.schema import Settings
from gateway.storage.database import Database
from gateway.storage.journal import Author
from gateway.storage.open_storage import create_database
from gateway.storage.verify_journal import verify_journal
from tests.databases import OpenDatabase, upgrade_database
from tests.gateway.ratelimit.live.live_process import (
    JANE,
    NOW,
    USER,
    LiveProcess,
    declare,
    open_processes,
    refresh_all,
)
from tests.postgresql_server import PostgresqlServer


async def test_live_beats_settings_beats_code(database: Database) -> None:
    process = LiveProcess(database)
    view = process.limits.get("sign_in")
    assert view.declared == declare()[2]
    assert view.settings is not None
    assert (view.in_force.source, view.version, view.changed_at) == ("settings", 0, None)
    assert process.list_quotas("sign_in") == [7]

    assert await process.change("sign_in", rate="3/minute") == 1
    view = process.limits.get("sign_in")
    assert (view.in_force.source, view.in_force.version) == ("live", 1)
    assert (view.version, view.author, view.fault) == (1, JANE, "")
    assert view.document == LiveDocument(rate="3/minute")
    assert view.changed_at is not None
    assert process.list_quotas("sign_in") == [3]

    assert await process.change("sign_in") == 2
    view = process.limits.get("sign_in")
    assert (view.document, view.in_force.source, view.in_force.version) == (None, "settings", 2)
    assert process.list_quotas("sign_in") == [7]
    assert [it.name for it in process.limits.list()] == ["pages", "orders", "sign_in", "chats"]


async def test_a_change_is_in_force_here_at_once_and_there_with_a_poll(
    database: Database, open_database: OpenDatabase
) -> None:
    here, there = open_processes(open_database)
    await refresh_all([here, there])
    await here.change("pages", rate="9/minute", overrides={USER: {"kind": "block"}})
    assert here.list_quotas("pages", "user:2") == [9]
    assert there.list_quotas("pages", "user:2") == [120]
    await there.refresh()
    assert there.list_quotas("pages", "user:2") == [9]
    assert isinstance(there.find_rules("pages"), Block)
    assert there.limits.get("pages") == there.limits.get("pages")
    assert there.limits.get("pages").author == JANE


async def test_of_two_operators_at_once_one_gets_a_conflict(
    database: Database, open_database: OpenDatabase
) -> None:
    processes = open_processes(open_database)
    await refresh_all(processes)
    changes = [
        process.change("pages", rate=f"{number + 1}/minute", if_version=0)
        for number, process in enumerate(processes)
    ]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    [conflict] = [it for it in outcomes if isinstance(it, VersionConflict)]
    assert conflict.current == 1
    assert 1 in outcomes
    await refresh_all(processes)
    winner = outcomes.index(1) + 1
    assert [it.list_quotas("pages") for it in processes] == [[winner], [winner]]


async def test_a_wrong_change_names_the_field_and_leaves_the_old_one_in_force(
    database: Database,
) -> None:
    process = LiveProcess(database)
    await process.change("pages", rate="9/minute")
    with pytest.raises(InvalidDocument, match="limit: is no value of a rate limit"):
        await process.change("pages", limit=4)
    assert process.list_quotas("pages") == [9]
    assert process.limits.get("pages").version == 1
    with pytest.raises(UnknownPolicy, match=r"no policy 'page'; did you mean pages\?"):
        await process.change("page", if_version=0, rate="9/minute")
    assert database.read_now(verify_journal).seq == 1


@pytest.mark.parametrize("author", [Author("jane", "r" * 1_001), Author("jane", "a\x00")])
async def test_the_texts_of_an_author_are_checked(database: Database, author: Author) -> None:
    process = LiveProcess(database)
    document = LiveDocument(rate="9/minute")
    with pytest.raises(InvalidDocument, match="reason: must be at most 1000 printable"):
        await process.limits.change("pages", document, if_version=0, author=author)


async def test_a_rollback_restores_the_bytes_in_all_processes(
    database: Database, open_database: OpenDatabase
) -> None:
    here, there = open_processes(open_database)
    await here.change("orders", rate="9/second,50/minute", tiers={"pro": "70/minute"})
    text = database.read_now(partial(read_limit, policy="orders")).document
    await here.change("orders", rate="1/minute")
    await there.refresh()
    view = await there.limits.rollback("orders", 1, if_version=2, author=JANE)
    assert (view.version, view.in_force.version) == (3, 3)
    await here.refresh()
    assert database.read_now(partial(read_limit, policy="orders")).document == text
    assert here.list_quotas("orders") == there.list_quotas("orders") == [9, 50]
    assert here.list_quotas("orders", tier="pro") == [70]
    view = await here.limits.rollback("orders", 0, if_version=3, author=JANE)
    assert (view.document, here.list_quotas("orders")) == (None, [10, 100])
    with pytest.raises(UnknownVersion):
        await here.limits.rollback("orders", 9, if_version=4, author=JANE)


async def test_a_rollback_to_what_no_longer_fits_changes_nothing(
    database: Database, open_database: OpenDatabase
) -> None:
    before = LiveProcess(database)
    await before.change("orders", tiers={"free": "1/minute"})
    await before.change("orders", shadow=True)
    after = LiveProcess(open_database(), [RateLimit("orders", "100/minute")])
    await after.refresh()
    with pytest.raises(InvalidDocument, match="tiers: orders has no tiers"):
        await after.limits.rollback("orders", 1, if_version=2, author=JANE)
    await after.refresh()
    assert after.limits.get("orders").version == 2


async def test_the_history_is_that_of_the_journal(database: Database) -> None:
    process = LiveProcess(database)
    await process.change("pages", rate="9/minute")
    await process.change("orders", rate="9/minute")
    await process.limits.reset("pages", USER, Author("joe", "ticket 3"))
    await process.change("pages", shadow=True)
    entries = await process.limits.history("pages")
    assert [(it.action, it.version, it.key) for it in entries] == [
        ("limit.change", 2, None),
        ("limit.reset", 1, USER),
        ("limit.change", 1, None),
    ]
    assert (entries[0].former, entries[0].document) == ({"rate": "9/minute"}, {"shadow": True})
    assert await process.limits.history("pages", 1, before=entries[0].seq) == entries[1:2]


async def test_what_has_ended_is_dropped_with_the_next_change(database: Database) -> None:
    process = LiveProcess(database)
    ended = {"kind": "times", "times": 5, "until": "2027-01-15T08:00:30Z"}
    document: dict[str, Any] = {"rate": "9/minute", "until": "2027-01-15T08:00:30Z"}
    await process.change("pages", **document, overrides={USER: ended})
    process.clock.time = NOW + 30
    with pytest.raises(InvalidDocument) as caught:
        await process.change("pages", rate="8/minute", until=document["until"])
    assert str(caught.value).startswith("until: has passed")
    with pytest.raises(InvalidDocument) as caught:
        await process.change("pages", overrides={USER: {**ended, "times": 6}})
    assert str(caught.value).startswith(f'overrides."{USER}".until: has passed')
    kept = {"kind": "block", "reason": "abuse"}
    await process.change("pages", **document, overrides={USER: ended, "user:2": kept})
    document_now = process.limits.get("pages").document
    assert document_now is not None
    assert document_now.to_json() == {"overrides": {"user:2": kept}}


async def test_what_has_ended_is_no_part_of_the_document(database: Database) -> None:
    process = LiveProcess(database)
    end = "2027-01-15T08:00:30Z"
    block = {"kind": "block", "until": end}
    kept = {"kind": "allow", "until": "2027-01-15T09:00:00Z", "reason": ""}
    await process.change("pages", rate="9/minute", until=end, overrides={USER: kept})
    await process.change("orders", rate="9/minute", overrides={USER: block})
    await process.change("sign_in", rate="9/minute", until=end)
    process.clock.time = NOW + 30
    views = [process.limits.get(name) for name in ("pages", "orders", "sign_in")]
    assert [it.document and it.document.to_json() for it in views] == [
        {"overrides": {USER: kept}},
        {"rate": "9/minute"},
        None,
    ]
    assert [it.in_force.source for it in views] == ["code", "live", "settings"]
    assert [list(it.in_force.overrides) for it in views] == [[USER], [], []]


async def test_without_a_database_changes_are_refused_with_the_reason() -> None:
    process = LiveProcess(None)
    assert process.limits.get("pages").in_force.source == "code"
    with pytest.raises(NoDatabase, match="has no database, where live limits are kept: set datab"):
        await process.change("pages", rate="9/minute")
    with pytest.raises(NoDatabase):
        await process.limits.rollback("pages", 0, if_version=0, author=JANE)
    with pytest.raises(NoDatabase):
        await process.limits.history("pages")
    with pytest.raises(NoDatabase):
        await process.limits.reset("pages", USER, JANE)


async def test_a_database_that_is_killed_in_mid_change_leaves_one_value(
    own_postgresql: PostgresqlServer,
) -> None:
    url = upgrade_database(own_postgresql.create_database())
    database = create_database(Settings(database_url=url))
    process = LiveProcess(database)
    await process.change("pages", rate="9/minute")
    own_postgresql.kill()
    with pytest.raises(DatabaseUnavailable):
        await process.change("pages", rate="8/minute")
    assert process.list_quotas("pages") == [9]
    assert process.limits.get("pages").version == 1
    own_postgresql.start()
    async with asyncio.timeout(20):
        while database.state.value != "ok":
            await process.refresh()
            await asyncio.sleep(0.05)
    assert await process.change("pages", rate="8/minute") == 2
    database.close()


async def test_a_row_of_a_later_version_is_in_force_though_the_database_goes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = LiveProcess(database)
    await process.refresh()

    async def fail() -> None:
        raise DatabaseUnavailable(1.0)

    monkeypatch.setattr(process.feed, "refresh", fail)
    assert await process.change("pages", rate="9/minute") == 1
    assert process.list_quotas("pages") == [9]
