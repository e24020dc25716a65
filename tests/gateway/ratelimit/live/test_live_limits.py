"""Changes while traffic runs: in force here at once, and in the other processes with a poll."""

import asyncio
import json
import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from gateway.errors.tree import DatabaseUnavailable
from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.live.errors import (
    InvalidDocument,
    NoDatabase,
    UnknownPolicy,
    UnknownVersion,
    VersionConflict,
)
from gateway.ratelimit.live.limit_table import change_limit, read_limit
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import Block
from gateway.settings.schema import Settings
from gateway.storage.database import Database
from gateway.storage.journal import Author
from gateway.storage.open_storage import create_database
from gateway.storage.tables import live_limits
from gateway.storage.upgrade import upgrade_schema
from gateway.storage.verify_journal import verify_journal
from tests.databases import OpenDatabase, create_file
from tests.gateway.ratelimit.live.live_process import (
    JANE,
    NOW,
    USER,
    LiveProcess,
    declare,
    refresh_all,
)
from tests.postgresql_server import PostgresqlServer


def open_processes(open_database: OpenDatabase, number: int = 2) -> list[LiveProcess]:
    return [LiveProcess(open_database()) for _ in range(number)]


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
    assert [it.name for it in process.limits.list()] == ["pages", "orders", "sign_in"]


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


async def test_values_and_overrides_end_in_each_process_on_its_own_clock(
    database: Database, open_database: OpenDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.ratelimit")
    here, there = open_processes(open_database)
    await here.change(
        "pages",
        rate="9/minute",
        until="2027-01-15T08:00:30Z",
        overrides={USER: {"kind": "allow", "until": "2027-01-15T08:01:00Z"}},
    )
    await there.refresh()
    for process in (here, there):
        assert process.list_quotas("pages", "user:2") == [9]
        assert process.find_rules("pages") == ()
        process.clock.time = NOW + 29.9
        process.policies.end(process.clock.now())
        assert process.list_quotas("pages", "user:2") == [9]
        process.clock.time = NOW + 30
        process.policies.end(process.clock.now())
        view = process.limits.get("pages")
        assert (view.in_force.source, view.in_force.version) == ("code", 1)
        assert process.list_quotas("pages", "user:2") == [120]
        assert process.find_rules("pages") == ()
        process.clock.time = NOW + 60
        process.policies.end(process.clock.now())
        assert process.list_quotas("pages") == [120]
        assert view.document is not None
    assert caplog.text.count("limit.ended") == 4


async def test_the_task_ends_values_in_time(database: Database) -> None:
    process = LiveProcess(database)
    task = asyncio.create_task(process.policies.watch_ends(process.clock))
    await asyncio.sleep(0)
    process.clock.time = NOW + 29.98
    await process.change("pages", rate="9/minute", until="2027-01-15T08:00:30Z")
    await asyncio.sleep(0.001)
    assert process.list_quotas("pages") == [9]
    process.clock.time = NOW + 30
    async with asyncio.timeout(5):
        while process.list_quotas("pages") == [9]:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.005)
    task.cancel()


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


async def test_a_document_that_no_longer_fits_the_code_is_skipped_and_shown(
    database: Database, open_database: OpenDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    before = LiveProcess(database)
    await before.change("orders", tiers={"free": "1/minute"})
    await before.change("pages", rate="9/minute")
    await before.change("sign_in", rate="9/minute")
    change = partial(change_limit, policy="orders", document="{", if_version=1, author=JANE)
    after = LiveProcess(open_database(), [RateLimit("orders", "50/minute"), declare()[2]])
    await after.refresh()
    await after.refresh()
    view = after.limits.get("orders")
    assert view.fault == "tiers: orders has no tiers: its declaration names no tier_claim"
    assert (view.version, view.in_force.source, view.in_force.version) == (1, "code", 1)
    assert after.list_quotas("orders") == [50]
    assert after.list_quotas("sign_in") == [9]
    [unused] = after.limits.list_unused()
    assert (unused.policy, unused.fault) == ("pages", "the code declares no such policy")
    assert caplog.text.count("limit.unfit") == 2

    database.write_now(change)
    await after.refresh()
    assert after.limits.get("orders").fault == "document: is no JSON"
    assert await after.change("orders", rate="8/minute") == 3
    assert after.list_quotas("orders") == [8]
    assert after.limits.get("orders").fault == ""


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


async def test_a_database_that_is_killed_in_mid_change_leaves_one_value(
    own_postgresql: PostgresqlServer,
) -> None:
    url = own_postgresql.create_database()
    database = create_database(Settings(database_url=url))
    database.write_now(upgrade_schema)
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


ENDS = st.sampled_from([None, 5, 15])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from([None, 1, 2, 3]), ENDS),
        st.tuples(st.just("rollback"), st.integers(0, 6), st.none()),
        st.tuples(st.just("stale"), st.just(9), st.none()),
        st.tuples(st.just("wait"), st.sampled_from([5, 10]), st.none()),
    ),
    max_size=10,
)


class Model:
    """The reference: documents by version, and the clock."""

    def __init__(self) -> None:
        self.documents: list[tuple[int | None, float | None]] = [(None, None)]
        self.now = NOW

    @property
    def quota(self) -> int:
        quota, end = self.documents[-1]
        return 120 if quota is None or (end is not None and end <= self.now) else quota


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_each_process_agrees_with_a_plain_model(
    database: Database, open_database: OpenDatabase, steps: list[tuple[str, Any, Any]]
) -> None:
    """Two processes take the changes in turn; each has the value of the model after its poll."""
    name = f"policy_{len(database.read_now(read_all_names))}"
    policies = [RateLimit(name, "120/minute")]
    processes = [LiveProcess(database, policies), LiveProcess(database, policies)]
    await refresh_all(processes)
    model = Model()
    for turn, step in enumerate(steps):
        await take(processes[turn % 2], model, name, step)
        for process in processes:
            process.clock.time = model.now
            await process.refresh()
            process.policies.end(model.now)
            assert process.list_quotas(name) == [model.quota]
            assert process.limits.get(name).version == len(model.documents) - 1
    database.write_now(lambda it: it.execute(update(live_limits).values(document=None)))
    assert database.read_now(verify_journal)


def read_all_names(connection: Any) -> list[str]:
    return [row.subject for row in connection.exec_driver_sql("SELECT subject FROM journal")]


async def take(process: LiveProcess, model: Model, name: str, step: tuple[str, Any, Any]) -> None:
    kind, value, seconds = step
    version = len(model.documents) - 1
    if kind == "wait":
        model.now += value
    elif kind == "stale":
        with pytest.raises(VersionConflict):
            await process.change(name, rate="9/minute", if_version=version + 1)
    elif kind == "rollback" and value > version:
        with pytest.raises(UnknownVersion):
            await process.limits.rollback(name, value, if_version=version, author=JANE)
    elif kind == "rollback":
        await process.limits.rollback(name, value, if_version=version, author=JANE)
        model.documents.append(model.documents[value])
    else:
        end = None if value is None or seconds is None else model.now + seconds
        document: dict[str, Any] = {} if value is None else {"rate": f"{value}/minute"}
        if end is not None:
            document["until"] = f"2027-01-15T08:{int(end - NOW) // 60:02}:{int(end - NOW) % 60:02}Z"
        await process.change(name, **document)
        model.documents.append((value, end))


def test_the_json_of_a_view_is_that_of_the_table() -> None:
    document = LiveDocument.parse({"rate": "9/minute"})
    assert json.loads(document.to_text()) == document.to_json()
