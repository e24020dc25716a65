"""Compares the tables with the journal: each row has its entry, and each entry its row."""

from collections.abc import Iterable
from itertools import pairwise

from sqlalchemy import Connection, Table, select

from gateway.storage.journal import Entry, read_entries
from gateway.storage.tables import api_keys, clients, revocations, signing_keys
from gateway.storage.verify_journal import verify_journal

_FOLLOWED_BY_REVOCATION = {"key.revoke", "client.remove"}


def require_agreement(connection: Connection) -> int:
    """Require that the journal is whole, and that each table is what its entries say.

    No revocation of the proof expires meanwhile. Returns the number of entries.
    """
    number = verify_journal(connection).seq
    entries = read_entries(connection, after=0, limit=number)
    _require_revocations(connection, entries)
    _require_rows(connection, entries, api_keys, ended="revoked_at", end="key.revoke")
    _require_rows(connection, entries, clients, ended="removed_at", end="client.remove")
    _require_signing_keys(connection, entries)
    return number


def _require_revocations(connection: Connection, entries: list[Entry]) -> None:
    added = [(it.seq, it.change.subject) for it in entries if it.change.action == "revocation.add"]
    rows = connection.execute(select(revocations).order_by(revocations.c.seq))
    assert [(row.seq, row.value or row.issuer) for row in rows] == added
    for first, second in pairwise([*entries, None]):
        if first is not None and first.change.action in _FOLLOWED_BY_REVOCATION:
            assert second is not None
            assert second.change.action == "revocation.add"
            assert second.change.subject == first.change.subject


def _require_rows(
    connection: Connection,
    entries: Iterable[Entry],
    table: Table,
    *,
    ended: str,
    end: str,
) -> None:
    """Require one row for each subject of entries, with the `seq` of its last one."""
    noun = end.partition(".")[0]
    named = [it for it in entries if it.change.action.startswith(f"{noun}.")]
    last = {it.change.subject: it.seq for it in named}
    gone = {it.change.subject for it in named if it.change.action == end}
    rows = connection.execute(select(table)).mappings().all()
    assert {row["id"]: row["seq"] for row in rows} == last
    assert {row["id"] for row in rows if row[ended] is not None} == gone


def _require_signing_keys(connection: Connection, entries: Iterable[Entry]) -> None:
    """Require one row for each key that was added and not removed."""
    last = {it.change.subject: it for it in entries if it.change.action.startswith("signing_key.")}
    kept = {it.change.subject: it.seq for it in last.values() if it.change.action[12:] != "remove"}
    rows = connection.execute(select(signing_keys))
    assert {row.key_id: row.seq for row in rows} == kept
