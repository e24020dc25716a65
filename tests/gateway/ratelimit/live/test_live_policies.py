"""Documents put values in force and take them out, as a plain model says."""

import asyncio
import logging
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from gateway.ratelimit.live.change_errors import UnknownVersion, VersionConflict
from gateway.ratelimit.live.write_limit import change_limit
from gateway.ratelimit.policy import RateLimit
from gateway.storage.database import Database
from gateway.storage.tables import live_limits
from gateway.storage.verify_journal import verify_journal
from tests.databases import OpenDatabase
from tests.gateway.ratelimit.live.live_process import (
    JANE,
    NOW,
    USER,
    LiveProcess,
    declare,
    open_processes,
    refresh_all,
)


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
    assert caplog.text.count("limits.ended") == 4
    changes = [vars(it)["fields"] for it in caplog.records if it.msg == "limits.changed"]
    assert [(it["by"], it["reason"]) for it in changes] == [(JANE.actor, JANE.reason)] * 2


async def test_the_task_ends_values_in_time(database: Database) -> None:
    process = LiveProcess(database)
    task = asyncio.create_task(process.policies.watch_ends(process.clock))
    await asyncio.sleep(0)
    process.clock.time = NOW + 29.98
    await process.change("pages", rate="9/minute", until="2027-01-15T08:00:30Z")
    await asyncio.sleep(0.001)
    assert process.list_quotas("pages") == [9]
    process.clock.time = NOW + 30
    async with asyncio.timeout(20):
        while process.list_quotas("pages") == [9]:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.005)
    task.cancel()


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
    assert caplog.text.count("limits.unfit") == 2

    database.write_now(change)
    await after.refresh()
    assert after.limits.get("orders").fault == "document: is no JSON"
    assert await after.change("orders", rate="8/minute") == 3
    assert after.list_quotas("orders") == [8]
    assert after.limits.get("orders").fault == ""


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

    def put(self, document: tuple[int | None, float | None]) -> None:
        """Add a version, unless the document is the one in force."""
        if document != self.documents[-1]:
            self.documents.append(document)

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
        model.put(model.documents[value])
    else:
        end = None if value is None or seconds is None else model.now + seconds
        document: dict[str, Any] = {} if value is None else {"rate": f"{value}/minute"}
        if end is not None:
            document["until"] = f"2027-01-15T08:{int(end - NOW) // 60:02}:{int(end - NOW) % 60:02}Z"
        await process.change(name, **document)
        model.put((value, end))
