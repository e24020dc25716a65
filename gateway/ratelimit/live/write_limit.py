"""Writes live documents: a change, a rollback or a reset, each with its entry in the journal.

A change or a rollback to the document that is there writes nothing: the version stays.
These functions know documents as texts only: a rollback writes the bytes that were there.
"""

import json
from typing import Any

from sqlalchemy import Connection, insert, update

from gateway.ratelimit.live.change_errors import VersionConflict
from gateway.ratelimit.live.stored_limit import (
    CHANGE,
    RESET,
    ROLLBACK,
    StoredLimit,
    read_limit,
    read_version,
)
from gateway.storage.journal import Author, Change, append_change
from gateway.storage.locks import lock_journal
from gateway.storage.tables import live_limits


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


def record_reset(
    connection: Connection,
    policy: str,
    partition: str,
    author: Author,
    caller: str | None = None,
) -> int:
    """Append that the counts of a caller are cleared, and return the `seq` of the entry."""
    lock_journal(connection)
    details: dict[str, Any] = {"key": partition}
    if caller is not None:
        details["caller"] = caller
    details["version"] = read_limit(connection, policy).version
    return append_change(connection, Change(author.actor, RESET, policy, author.reason, details))


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
    if document == former.document:
        return former
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
