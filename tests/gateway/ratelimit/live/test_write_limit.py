"""Changes of live documents in both databases, each with its entry in the journal."""

import json
import threading
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text, update

from gateway.ratelimit.live.change_errors import UnknownVersion, VersionConflict
from gateway.ratelimit.live.limit_history import HistoryEntry, read_history
from gateway.ratelimit.live.stored_limit import StoredLimit, read_limit, read_limits, read_version
from gateway.ratelimit.live.write_limit import change_limit, record_reset, roll_back_limit
from gateway.storage.database import Database
from gateway.storage.journal import Author
from gateway.storage.tables import live_limits
from gateway.storage.verify_journal import verify_journal
from tests.databases import OpenDatabase

JANE = Author("jane", "incident 7")
FAST, SLOW = '{"rate":"120/minute"}', '{"rate":"30/minute"}'


def change(
    database: Database, document: str | None, if_version: int, policy: str = "pages"
) -> StoredLimit:
    return database.write_now(
        partial(change_limit, policy=policy, document=document, if_version=if_version, author=JANE)
    )


def roll_back(database: Database, to_version: int, if_version: int) -> StoredLimit:
    return database.write_now(
        partial(
            roll_back_limit,
            policy="pages",
            to_version=to_version,
            if_version=if_version,
            author=JANE,
        )
    )


def read(database: Database, policy: str = "pages") -> StoredLimit:
    return database.read_now(partial(read_limit, policy=policy))


def list_history(database: Database, limit: int = 50, **options: Any) -> list[HistoryEntry]:
    return database.read_now(partial(read_history, policy="pages", limit=limit, **options))


def test_a_change_is_a_new_version_with_its_author(database: Database) -> None:
    assert read(database) == StoredLimit("pages")
    stored = change(database, FAST, 0)
    assert (stored.version, stored.document, stored.author) == (1, FAST, JANE)
    assert stored.seq == 1
    assert stored.changed_at > 1.7e9
    assert read(database) == stored
    assert change(database, None, 1).version == 2
    assert read(database).document is None
    assert database.read_now(verify_journal).seq == 2


def test_only_what_has_changed_is_read(database: Database) -> None:
    change(database, FAST, 0)
    change(database, FAST, 0, policy="orders")
    change(database, SLOW, 1)
    assert [it.policy for it in database.read_now(read_limits)] == ["orders", "pages"]
    assert [it.policy for it in database.read_now(partial(read_limits, after=2))] == ["pages"]


@pytest.mark.parametrize("if_version", [0, 2])
def test_a_change_of_another_version_is_refused(database: Database, if_version: int) -> None:
    change(database, FAST, 0)
    with pytest.raises(VersionConflict, match="at version 1 now") as caught:
        change(database, SLOW, if_version)
    assert caught.value.current == 1
    with pytest.raises(VersionConflict):
        roll_back(database, 0, if_version)
    assert read(database).document == FAST
    assert database.read_now(verify_journal).seq == 1


def test_of_two_writers_at_once_one_is_refused(
    database: Database, open_database: OpenDatabase
) -> None:
    outcomes = list[object]()
    begin = threading.Barrier(2)

    def write(other: Database, document: str) -> None:
        begin.wait(10)
        try:
            outcomes.append(change(other, document, 0).document)
        except VersionConflict as conflict:
            outcomes.append(conflict.current)

    threads = [
        threading.Thread(target=write, args=(open_database(timeout=20), document))
        for document in (FAST, SLOW)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = read(database).document
    assert sorted(map(str, outcomes)) == sorted(["1", str(winner)])


def test_a_rollback_restores_the_bytes_as_a_new_version(database: Database) -> None:
    document = json.dumps(
        {"overrides": {"user:1": {"kind": "times", "reason": "ä\u2028", "times": 1.1}}},
        sort_keys=True,
        separators=(",", ":"),
    )
    change(database, document, 0)
    change(database, SLOW, 1)
    rolled_back = roll_back(database, 1, 2)
    assert (rolled_back.version, rolled_back.document) == (3, document)
    assert roll_back(database, 0, 3).document is None
    assert database.read_now(partial(read_version, policy="pages", version=3)) == document
    with pytest.raises(UnknownVersion, match="has no version 9"):
        roll_back(database, 9, 4)
    assert read(database).version == 4


@pytest.mark.parametrize("document", [FAST, None])
def test_the_same_document_writes_nothing(database: Database, document: str | None) -> None:
    change(database, SLOW, 0)
    before = change(database, document, 1)
    assert change(database, document, 2) == before
    assert roll_back(database, 2, 2) == before
    assert len(list_history(database)) == before.version == 2
    with pytest.raises(VersionConflict):
        change(database, document, 1)


def test_the_history_says_what_was_changed_from_what_to_what(database: Database) -> None:
    change(database, FAST, 0)
    change(database, FAST, 0, policy="orders")
    change(database, SLOW, 1)
    database.write_now(
        partial(record_reset, policy="pages", partition="user:9f", author=Author("joe"))
    )
    roll_back(database, 1, 2)
    entries = list_history(database)
    assert [(it.seq, it.action, it.version) for it in entries] == [
        (5, "limit.rollback", 3),
        (4, "limit.reset", 2),
        (3, "limit.change", 2),
        (1, "limit.change", 1),
    ]
    assert (entries[0].former, entries[0].document) == (json.loads(SLOW), json.loads(FAST))
    assert (entries[0].to_version, entries[0].author) == (1, JANE)
    assert (entries[1].key, entries[1].author) == ("user:9f", Author("joe"))
    assert (entries[3].former, entries[3].document) == (None, json.loads(FAST))
    assert list_history(database, limit=2) == entries[:2]
    assert list_history(database, before=4) == entries[2:]
    assert list_history(database, limit=-1) == []


def test_a_row_that_was_edited_by_hand_can_be_replaced(database: Database) -> None:
    change(database, FAST, 0)
    database.write_now(lambda it: it.execute(update(live_limits).values(document="{")))
    assert change(database, SLOW, 1).document == SLOW
    assert list_history(database)[0].former == "{"


def test_the_history_is_found_by_an_index(database: Database) -> None:
    """The journal may have a million entries of other subjects."""

    def explain(connection: Connection) -> str:
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        statement = "SELECT * FROM journal WHERE subject = 'a' ORDER BY seq DESC LIMIT 5"
        rows = connection.execute(text(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{statement}"))
        return str(rows.all())

    assert "ix_journal_subject" in database.read_now(explain)


DOCUMENTS = st.one_of(st.none(), st.sampled_from([FAST, SLOW]))
OFF = st.sampled_from([0, 0, 0, 1, -1])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), DOCUMENTS, OFF),
        st.tuples(st.just("rollback"), st.integers(0, 9), OFF),
    ),
    max_size=12,
)
Step = tuple[str, Any, int]
Outcome = tuple[int, str | None] | type[Exception]


def expect(versions: list[str | None], step: Step) -> Outcome:
    """Add the document of a step to a list whose index is the version."""
    kind, value, off = step
    if off:
        return VersionConflict
    if kind == "rollback" and value >= len(versions):
        return UnknownVersion
    document = value if kind == "change" else versions[value]
    if document != versions[-1]:
        versions.append(document)
    return len(versions) - 1, versions[-1]


def take(connection: Connection, current: int, step: Step) -> Outcome:
    kind, value, off = step
    write = change_limit if kind == "change" else roll_back_limit
    try:
        stored = write(connection, "pages", value, current + off, JANE)
    except (VersionConflict, UnknownVersion) as error:
        return type(error)
    return stored.version, stored.document


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_versions_follow_a_list(database: Database, steps: list[Step]) -> None:
    def run(connection: Connection) -> None:
        versions: list[str | None] = [None]
        for step in steps:
            current = len(versions) - 1
            assert take(connection, current, step) == expect(versions, step)
        for version, document in enumerate(versions):
            assert read_version(connection, "pages", version) == document
        found = [it.version for it in read_history(connection, "pages", limit=200)]
        assert found == list(range(len(versions) - 1, 0, -1))
        connection.rollback()

    database.write_now(run)
