"""Keeps the revocations of this process up to date with the database."""

import sys
from typing import Any

from sqlalchemy import Connection, Row, select

from gateway.auth.clock import Clock
from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.storage.change_feed import Page
from gateway.storage.tables import revocations
from gateway.storage.timestamps import to_microseconds, to_seconds

_PAGE_SIZE = 2_000
"""So many revocations are put in force in a few milliseconds."""


class RevocationReplica:
    """Loads revocations into a RevocationCheck."""

    def __init__(self, check: RevocationCheck, clock: Clock) -> None:
        self._check = check
        self._clock = clock

    def load(self, connection: Connection, after: int) -> list[Revocation] | Page:
        """Load the revocations whose journal entries come after `after`. Runs in a thread."""
        columns = revocations.c
        now = to_microseconds(self._clock.now())
        rows = connection.execute(
            select(revocations)
            .where(columns.seq > after, columns.expires_at > now)
            .order_by(columns.seq)
            .limit(_PAGE_SIZE)
        ).all()
        loaded = [_to_revocation(row) for row in rows]
        return loaded if len(rows) < _PAGE_SIZE else Page(loaded, rows[-1].seq)

    def apply(self, loaded: list[Revocation] | Page) -> None:
        """Put them in force; until the last page is, no token is accepted."""
        now = self._clock.now()
        if isinstance(loaded, Page):
            self._check.add(loaded.changes, now)
        else:
            self._check.apply(loaded, now)


def _to_revocation(row: Row[Any]) -> Revocation:
    return Revocation(
        RevocationKind(row.kind),
        sys.intern(row.issuer),  # one string for the many rows of an issuer
        row.value,
        to_seconds(row.issued_before),
        to_seconds(row.expires_at),
    )
