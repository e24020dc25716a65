"""Reads and writes live documents, each change with its entry in the journal.

These functions know documents as texts only: a rollback writes the bytes that were there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from gateway.ratelimit.live.errors import UnknownVersion, VersionConflict
from gateway.storage.journal import Author, Change, append_change
from gateway.storage.locks import lock_journal
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


def change_limit(
    connection: Connection, policy: str, document: str | None, if_version: int, author: Author
) -> StoredLimit:
    """Replace the live document of a policy; None removes it.

    Raises:
        VersionConflict: the policy is not at `if_version`.
    """
    former = _lock_limit(connection, policy, if_version)
    return _write(connection, former, document, Change(author.actor, CHANGE, policy, author.reason))


def roll_back_limit(
    connection: Connection, policy: str, to_version: int, if_version: int, author: Author
) -> StoredLimit:
    """Write the document of an earlier version once more, byte for byte, as a new version.

    Raises:
        VersionConflict: the policy is not at `if_version`.
        UnknownVersion: it never had the version `to_version`.
    """
    former = _lock_limit(connection, policy, if_version)
    document = read_version(connection, policy, to_version)
    details = {"to_version": to_version}
    change = Change(author.actor, ROLLBACK, policy, author.reason, details)
    return _write(connection, former, document, change)


def record_reset(connection: Connection, policy: str, partition: str, author: Author) -> int:
    """Append that the counts of a caller are cleared, and return the `seq` of the entry."""
    lock_journal(connection)
    details = {"key": partition, "version": read_limit(connection, policy).version}
    return append_change(connection, Change(author.actor, RESET, policy, author.reason, details))


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


def _lock_limit(connection: Connection, policy: str, if_version: int) -> StoredLimit:
    """Return the live document, which no other transaction can change until the end of this one.

    Raises:
        VersionConflict: the policy is at another version.
    """
    lock_journal(connection)
    former = read_limit(connection, policy)
    if former.version != if_version:
        raise VersionConflict(former.version)
    return former


def _write(
    connection: Connection, former: StoredLimit, document: str | None, change: Change
) -> StoredLimit:
    version = former.version + 1
    documents = {"from": _load(former.document), "to": _load(document)}
    details = {**change.details, "version": version, **documents}
    written = Change(change.actor, change.action, change.subject, change.reason, details)
    values = {"seq": append_change(connection, written), "version": version, "document": document}
    if former.seq:
        statement = update(live_limits).where(live_limits.c.policy == former.policy)
        connection.execute(statement.values(**values))
    else:
        connection.execute(insert(live_limits).values(policy=former.policy, **values))
    return read_limit(connection, former.policy)


def _load(document: str | None) -> Any:  # noqa: ANN401 - JSON
    try:
        return None if document is None else json.loads(document)
    except ValueError:  # the row was edited by hand
        return document


def _to_stored(row: Row[Any]) -> StoredLimit:
    changed_at = 0.0 if row.at is None else to_seconds(row.at)
    author = Author(row.actor or "", row.reason or "")
    return StoredLimit(row.policy, row.seq, row.version, row.document, changed_at, author)
