"""Adds, lists and revokes API keys in the database, each change with its entry in the journal."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    false,
    insert,
    select,
    true,
    update,
)
from sqlalchemy import func as functions

from gateway.api_keys.api_key import ISSUER, ApiKey
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.revocation.revoke import revoke
from gateway.storage.journal import Author, Change, append_change
from gateway.storage.locks import lock_journal
from gateway.storage.tables import api_keys
from gateway.storage.timestamps import to_microseconds, to_seconds


class UnknownKey(LookupError):
    """No key has this id."""


def add_key(connection: Connection, key: ApiKey, author: Author) -> None:
    """Store a new key. `created_at` is a time since which this transaction has the journal lock."""
    details: dict[str, Any] = {
        "name": key.name,
        "scopes": list(key.scopes),
        "expires_at": key.expires_at,
    }
    if key.claims:
        details["claims"] = dict(key.claims)
    change = Change(author.actor, "key.add", key.id, author.reason, details)
    connection.execute(
        insert(api_keys).values(
            id=key.id,
            seq=append_change(connection, change),
            name=key.name,
            digest=key.digest,
            scopes=json.dumps(key.scopes),
            created_at=to_microseconds(key.created_at),
            expires_at=to_microseconds(key.expires_at),
            claims=json.dumps(dict(key.claims)),
        )
    )


def revoke_key(connection: Connection, key_id: str, author: Author, now: float) -> ApiKey:
    """Revoke a key, and return it. `now` is in seconds since the epoch.

    A revocation of the key as a token ends what callers have open with it.

    Raises:
        UnknownKey: there is none with this id.
    """
    lock_journal(connection)
    row = connection.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
    if row is None:
        raise UnknownKey(key_id)
    key = _to_key(row)
    if key.is_revoked or key.expires_at <= now:
        return key
    change = Change(author.actor, "key.revoke", key.id, author.reason, {"name": key.name})
    connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id)
        .values(seq=append_change(connection, change), revoked_at=to_microseconds(now))
    )
    named = Revocation(RevocationKind.TOKEN, ISSUER, key.id, 0.0, key.expires_at)
    revoke(connection, named, author)
    return key


def revoke_with_keys(
    connection: Connection, revocation: Revocation, author: Author
) -> tuple[Revocation, int]:
    """Store a revocation, and revoke the keys that it names: they may outlive every token.

    Returns the revocation as it is stored, and the `seq` of its entry in the journal. For keys, it
    lasts until the last of them has expired. One of all that was issued until now has the time of
    this transaction, so that it covers the keys that were stored before it, and no others.

    Raises:
        InvalidRevocation: it has expired, or names nothing.
    """
    lock_journal(connection)  # no key is added from here on
    now = time.time()
    if revocation.kind is not RevocationKind.TOKEN:
        revocation = replace(revocation, issued_before=now)
    named = and_(
        _match_keys(revocation),
        api_keys.c.revoked_at.is_(None),
        api_keys.c.expires_at > to_microseconds(now),
    )
    last = connection.scalar(select(functions.max(api_keys.c.expires_at)).where(named))
    if last is None:
        return revocation, revoke(connection, revocation, author)
    expires_at = max(revocation.expires_at, to_seconds(last))
    of_keys = replace(revocation, issuer=ISSUER, expires_at=expires_at)
    if revocation.issuer == ISSUER:
        revocation = of_keys
    else:  # one of all issuers: that of the tokens shall not last as long
        revoke(connection, of_keys, author)
    seq = revoke(connection, revocation, author)
    revoked = {"seq": seq, "revoked_at": to_microseconds(now)}
    connection.execute(update(api_keys).where(named).values(**revoked))
    return revocation, seq


def list_keys(connection: Connection) -> list[ApiKey]:
    """Return all keys, the oldest first, with those that are revoked or expired."""
    rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))
    return [_to_key(row) for row in rows]


def list_changed_keys(connection: Connection, after: int) -> list[ApiKey]:
    """Return the keys whose last change comes after the entry `after` of the journal."""
    rows = connection.execute(select(api_keys).where(api_keys.c.seq > after))
    return [_to_key(row) for row in rows]


def record_use(connection: Connection, used_at: Mapping[str, float]) -> None:
    """Store when keys were used last, by their ids; an earlier use than the stored one is ignored.

    The journal has no entry of it: a use is no change.
    """
    used: BindParameter[int] = bindparam("used_at")
    statement = (
        update(api_keys)
        .where(
            api_keys.c.id == bindparam("key_id"),
            functions.coalesce(api_keys.c.last_used_at, 0) < used,
        )
        .values(last_used_at=used)
    )
    # In one order, so that two processes never wait for each other's rows.
    rows: Sequence[Mapping[str, Any]] = [
        {"key_id": key_id, "used_at": to_microseconds(time)}
        for key_id, time in sorted(used_at.items())
    ]
    if rows:
        connection.execute(statement, rows)


def _match_keys(revocation: Revocation) -> ColumnElement[bool]:
    """Return the condition for the keys that a revocation names: all of them are older."""
    columns = api_keys.c
    match revocation.kind, revocation.issuer:
        case RevocationKind.TOKEN, issuer if issuer == ISSUER:
            return columns.id == revocation.value
        case RevocationKind.SUBJECT, issuer if issuer == ISSUER:
            return columns.name == revocation.value
        case RevocationKind.ISSUER, issuer if issuer in {"", ISSUER}:
            return true()
    return false()


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        digest=bytes(row.digest),
        scopes=tuple(json.loads(row.scopes)),
        created_at=to_seconds(row.created_at),
        expires_at=to_seconds(row.expires_at),
        last_used_at=None if row.last_used_at is None else to_seconds(row.last_used_at),
        is_revoked=row.revoked_at is not None,
        claims=json.loads(row.claims),
    )
