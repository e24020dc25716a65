"""Verifies the chain of hashes of the journal."""

from sqlalchemy import Connection, RowMapping, select

from gateway.storage.journal import FIRST_HASH, JournalHead, compute_hash
from gateway.storage.tables import journal

_ROWS_AT_ONCE = 1_000


class JournalDamaged(Exception):
    """An entry is not what was appended; `seq` is its place, and the message says why."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"entry {seq} {reason}")
        self.seq = seq


def verify_journal(connection: Connection) -> JournalHead:
    """Verify every entry, in bounded memory, and return the last one.

    Raises:
        JournalDamaged: an entry is missing, or has been changed.
    """
    head = JournalHead(0, FIRST_HASH)
    statement = select(journal).order_by(journal.c.seq)
    options = {"yield_per": _ROWS_AT_ONCE}
    with connection.execute(statement, execution_options=options) as rows:
        for row in rows.mappings():
            _check(row, head)
            head = JournalHead(row["seq"], bytes(row["hash"]))
    return head


def _check(row: RowMapping, previous: JournalHead) -> None:
    seq = row["seq"]
    if seq != previous.seq + 1:
        raise JournalDamaged(previous.seq + 1, "is missing")
    if bytes(row["previous_hash"]) != previous.hash:
        raise JournalDamaged(seq, "does not follow the entry before it")
    if bytes(row["hash"]) != compute_hash({str(name): value for name, value in row.items()}):
        raise JournalDamaged(seq, "has been changed: it has another hash")
