"""Writes a revocation into the database, with its entry in the journal."""

import time

from sqlalchemy import Connection, delete, insert

from gateway.auth.jwt.ids import MAX_NAME_LENGTH, read_id
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.storage.journal import Author, Change, append_change
from gateway.storage.tables import revocations
from gateway.storage.timestamps import to_microseconds

ACTION = "revocation.add"


class InvalidRevocation(ValueError):
    """A revocation that would revoke nothing; the message says why."""


def revoke(connection: Connection, revocation: Revocation, author: Author) -> int:
    """Store a revocation, and return the `seq` of its entry in the journal.

    Revocations whose tokens have all expired are removed on this occasion.

    Raises:
        InvalidRevocation: it has expired, or names nothing.
    """
    now = time.time()
    _check(revocation, now)
    details = {
        "kind": revocation.kind.value,
        "issuer": revocation.issuer,
        "issued_before": revocation.issued_before,
        "expires_at": revocation.expires_at,
    }
    subject = revocation.value or revocation.issuer or "all issuers"
    seq = append_change(connection, Change(author.actor, ACTION, subject, author.reason, details))
    connection.execute(
        insert(revocations).values(
            seq=seq,
            kind=revocation.kind.value,
            issuer=revocation.issuer,
            value=revocation.value,
            issued_before=to_microseconds(revocation.issued_before),
            expires_at=to_microseconds(revocation.expires_at),
        )
    )
    connection.execute(delete(revocations).where(revocations.c.expires_at <= to_microseconds(now)))
    return seq


def _check(revocation: Revocation, now: float) -> None:
    if revocation.expires_at <= now:
        raise InvalidRevocation("it has expired, as the tokens that it would revoke have")
    is_issuer = revocation.kind is RevocationKind.ISSUER
    if not is_issuer and read_id(revocation.value) is None:
        rule = f"1 to {MAX_NAME_LENGTH} printable characters, as in each token that is accepted"
        raise InvalidRevocation(f"the {revocation.kind.value} must be {rule}")
    if not revocation.issuer and not is_issuer:
        raise InvalidRevocation("it names no issuer: two issuers may use one name for two parties")
