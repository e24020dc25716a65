"""The journal: every change of the database, in a chain of hashes.

An entry is written in the transaction of its change. `seq` counts up without a gap, in the order of
the commits: a lock makes the transactions that write follow each other.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, select

from gateway.storage.journal_bounds import MAX_TEXT_LENGTH
from gateway.storage.locks import lock_journal
from gateway.storage.tables import journal

FIRST_HASH = bytes(32)
"""The previous hash of the first entry."""

# Built once: each process runs it several times a second.
_LAST_ENTRY = select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a change, and the reason, for the journal."""

    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A change, as its journal entry describes it. `details` has no secret.

    `actor` is who makes it; `action` is a noun and a verb, such as `client.add`; `subject` is what
    it is made to.
    """

    actor: str
    action: str
    subject: str
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Bound the texts.

        Raises:
            ValueError: a text is too long.
        """
        for name in ("actor", "action", "subject", "reason"):
            if (length := len(getattr(self, name))) > MAX_TEXT_LENGTH:
                raise ValueError(f"{name} has {length} characters; at most {MAX_TEXT_LENGTH} fit")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is stored; `at` is in microseconds since the epoch."""

    seq: int
    at: int
    change: Change
    previous_hash: bytes
    hash: bytes


class JournalHead(NamedTuple):
    """The last entry of a journal that is whole: `seq` is also the number of entries.

    Keep it elsewhere: entries that are missing at the end leave a chain that is whole.
    """

    seq: int
    hash: bytes


def append_change(connection: Connection, change: Change) -> int:
    """Append an entry for a change of this transaction, and return its `seq`.

    Blocks while another transaction writes.
    """
    lock_journal(connection)
    seq, previous_hash = read_head(connection)
    values = {
        "seq": seq + 1,
        "at": time.time_ns() // 1_000,
        "actor": change.actor,
        "action": change.action,
        "subject": change.subject,
        "reason": change.reason,
        "details": _to_json(change.details),
        "previous_hash": previous_hash,
    }
    connection.execute(insert(journal).values(**values, hash=compute_hash(values)))
    return seq + 1


def read_head(connection: Connection) -> JournalHead:
    """Return the last entry; 0 and `FIRST_HASH` without one."""
    last = connection.execute(_LAST_ENTRY).one_or_none()
    return JournalHead(0, FIRST_HASH) if last is None else JournalHead(last.seq, bytes(last.hash))


def read_hash(connection: Connection, seq: int) -> bytes | None:
    """Return the hash of an entry; `FIRST_HASH` for 0, None if there is no such entry."""
    if seq == 0:
        return FIRST_HASH
    found = connection.scalar(select(journal.c.hash).where(journal.c.seq == seq))
    return None if found is None else bytes(found)


def read_entries(connection: Connection, *, after: int, limit: int) -> list[Entry]:
    """Return at most `limit` entries, from the one after `after` on."""
    rows = connection.execute(
        select(journal).where(journal.c.seq > after).order_by(journal.c.seq).limit(limit)
    )
    return [_to_entry(row) for row in rows]


def compute_hash(values: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of an entry: of its previous hash, and of all other columns as JSON."""
    covered = {
        name: value for name, value in values.items() if name not in {"previous_hash", "hash"}
    }
    return hashlib.sha256(bytes(values["previous_hash"]) + _to_json(covered).encode()).digest()


def _to_entry(row: Row[Any]) -> Entry:
    details = json.loads(row.details)
    change = Change(row.actor, row.action, row.subject, row.reason, details)
    return Entry(row.seq, row.at, change, bytes(row.previous_hash), bytes(row.hash))


def _to_json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return JSON in one form: members in order, without space, in ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
