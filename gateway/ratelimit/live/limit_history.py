"""The history of a policy: its changes, rollbacks and resets, from the journal."""

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select

from gateway.ratelimit.bounds import MAX_ENTRIES
from gateway.ratelimit.live.stored_limit import CHANGE, RESET, ROLLBACK
from gateway.storage.journal import Author
from gateway.storage.tables import journal
from gateway.storage.timestamps import to_seconds


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A change of the live limits of a policy; `at` is in seconds since the epoch.

    `former` and `document` are those before and after it, None if there was none. A reset leaves
    the version as it is and has no documents, and the `key` of the caller whose counts it cleared,
    with the `caller` as people write it, if that was known.
    """

    seq: int
    at: float
    action: str
    author: Author
    version: int
    former: Any = None
    document: Any = None
    to_version: int | None = None
    key: str | None = None
    caller: str | None = None


def read_history(
    connection: Connection, policy: str, *, limit: int, before: int | None = None
) -> list[HistoryEntry]:
    """Return at most `limit` entries, the newest first, from the one before the entry `before`."""
    columns = journal.c
    entries = select(journal).where(
        columns.subject == policy, columns.action.in_([CHANGE, ROLLBACK, RESET])
    )
    if before is not None:
        entries = entries.where(columns.seq < before)
    bounded = max(0, min(limit, MAX_ENTRIES))
    rows = connection.execute(entries.order_by(columns.seq.desc()).limit(bounded))
    return [_to_entry(row) for row in rows]


class CountReset(NamedTuple):
    """The entry `seq` of the journal: the counts of one caller under one policy are cleared."""

    seq: int
    policy: str
    partition: str


def read_resets(connection: Connection, after: int, limit: int) -> list[CountReset]:
    """Return at most `limit` resets, from the one after the entry `after` of the journal on."""
    columns = journal.c
    rows = connection.execute(
        select(columns.seq, columns.subject, columns.details)
        .where(columns.seq > after, columns.action == RESET)
        .order_by(columns.seq)
        .limit(limit)
    )
    return [CountReset(row.seq, row.subject, json.loads(row.details)["key"]) for row in rows]


def _to_entry(row: Row[Any]) -> HistoryEntry:
    details = json.loads(row.details)
    return HistoryEntry(
        seq=row.seq,
        at=to_seconds(row.at),
        action=row.action,
        author=Author(row.actor, row.reason),
        version=details["version"],
        former=details.get("from"),
        document=details.get("to"),
        to_version=details.get("to_version"),
        key=details.get("key"),
        caller=details.get("caller"),
    )
