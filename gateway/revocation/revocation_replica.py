"""Keeps the revocations of this process up to date with the database."""

from sqlalchemy import Connection, select

from gateway.auth.clock import Clock
from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.storage.tables import revocations
from gateway.storage.timestamps import to_microseconds, to_seconds

_ROWS_AT_ONCE = 10_000


class RevocationReplica:
    """Loads revocations into a RevocationCheck."""

    def __init__(self, check: RevocationCheck, clock: Clock) -> None:
        self._check = check
        self._clock = clock

    def load(self, connection: Connection, after: int) -> list[Revocation]:
        """Load the revocations whose journal entries come after `after`. Runs in a thread."""
        columns = revocations.c
        now = to_microseconds(self._clock.now())
        statement = select(
            columns.kind, columns.issuer, columns.value, columns.issued_before, columns.expires_at
        ).where(columns.seq > after, columns.expires_at > now)
        options = {"yield_per": _ROWS_AT_ONCE}
        with connection.execute(statement, execution_options=options) as rows:
            return [
                Revocation(
                    RevocationKind(row.kind),
                    row.issuer,
                    row.value,
                    to_seconds(row.issued_before),
                    to_seconds(row.expires_at),
                )
                for row in rows
            ]

    def apply(self, loaded: list[Revocation]) -> None:
        """Put them in force."""
        self._check.apply(loaded, self._clock.now())
