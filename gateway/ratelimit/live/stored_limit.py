"""Reads live documents as texts, from their table and from the journal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from gateway.ratelimit.live.change_errors import UnknownVersion
from gateway.storage.journal import Author
from gateway.storage.tables import journal, live_limits
from gateway.storage.timestamps import to_seconds

CHANGE, ROLLBACK, RESET = "limit.change", "limit.rollback", "limit.reset"

_NO_AUTHOR = Author("")

_STORED = select(live_limits, journal.c.at, journal.c.actor, journal.c.reason).outerjoin(
    journal, live_limits.c.seq == journal.c.seq
)


@dataclass(frozen=True, slots=True)
class StoredLimit:
    """The live document of a policy as it is stored; None if it has none now.

    `seq` is that of the last change in the journal, and `changed_at` its time, in seconds since the
    epoch. A policy that was never changed is at version 0.
    """

    policy: str
    seq: int = 0
    version: int = 0
    document: str | None = None
    changed_at: float = 0.0
    author: Author = _NO_AUTHOR


def read_limit(connection: Connection, policy: str) -> StoredLimit:
    """Return the live document of one policy."""
    row = connection.execute(_STORED.where(live_limits.c.policy == policy)).one_or_none()
    return StoredLimit(policy) if row is None else _to_stored(row)


def read_limits(connection: Connection, after: int = 0) -> list[StoredLimit]:
    """Return the live documents that have changed after the entry `after` of the journal."""
    rows = connection.execute(_STORED.where(live_limits.c.seq > after).order_by(live_limits.c.seq))
    return [_to_stored(row) for row in rows]


def read_version(connection: Connection, policy: str, version: int) -> str | None:
    """Return the document that a policy had at a version, from the journal; None if it had none.

    Raises:
        UnknownVersion: the policy never had this version.
    """
    if version == 0:
        return None
    columns, options = journal.c, {"yield_per": 50}
    entries = (
        select(columns.details)
        .where(columns.subject == policy, columns.action.in_([CHANGE, ROLLBACK]))
        .order_by(columns.seq.desc())
    )
    with connection.execute(entries, execution_options=options) as rows:
        for (text,) in rows:
            details = json.loads(text)
            if details["version"] == version:
                return None if details["to"] is None else to_canonical(details["to"])
    raise UnknownVersion(version)


def to_canonical(document: Mapping[str, Any]) -> str:
    """Return JSON in one form, that of the journal: members in order, without space, in ASCII."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _to_stored(row: Row[Any]) -> StoredLimit:
    changed_at = 0.0 if row.at is None else to_seconds(row.at)
    author = Author(row.actor or "", row.reason or "")
    return StoredLimit(row.policy, row.seq, row.version, row.document, changed_at, author)
