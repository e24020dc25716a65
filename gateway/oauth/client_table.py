"""Adds, lists, rotates and removes OAuth clients, each change with its entry in the journal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from gateway.auth.revocation_index import Revocation
from gateway.oauth.client import ClientSecret, OAuthClient
from gateway.oauth.client_secret import parse_hash
from gateway.revocation.revoke import revoke
from gateway.storage.journal import Author, Change, append_change
from gateway.storage.locks import lock_journal
from gateway.storage.tables import clients
from gateway.storage.timestamps import to_microseconds, to_seconds


class UnknownClient(LookupError):
    """No client has this id, or it was removed."""


class ClientExists(ValueError):
    """The id is that of another client, which may have been removed."""


class OtherAuthentication(ValueError):
    """The client authenticates with keys, not with a secret; or the other way round."""


def add_client(connection: Connection, client: OAuthClient, author: Author) -> None:
    """Store a new client.

    Raises:
        ClientExists: there is one with its id, or there was.
    """
    lock_journal(connection)
    if _find(connection, client.id) is not None:
        raise ClientExists(client.id)
    details = {
        "scopes": list(client.scopes),
        "secrets": len(client.secrets),
        "public_keys": [key.get("kid") for key in client.public_keys],
    }
    change = Change(author.actor, "client.add", client.id, author.reason, details)
    connection.execute(
        insert(clients).values(
            id=client.id,
            seq=append_change(connection, change),
            scopes=json.dumps(client.scopes),
            secrets=_dump_secrets(client.secrets),
            public_keys=_dump_keys(client.public_keys),
            created_at=to_microseconds(client.created_at),
        )
    )


def rotate_secret(
    connection: Connection,
    client_id: str,
    secret: ClientSecret,
    author: Author,
    former_until: float,
) -> OAuthClient:
    """Add a secret; the former one is valid until `former_until`, and any before it no longer.

    Raises:
        UnknownClient: there is no client with this id.
        OtherAuthentication: it has keys.
    """
    client = _lock_client(connection, client_id)
    if client.public_keys:
        raise OtherAuthentication(client_id)
    former = [replace(it, expires_at=former_until) for it in client.secrets[-1:]]
    rotated = replace(client, secrets=(*former, secret))
    details = {"former_valid_until": former_until if former else None}
    change = Change(author.actor, "client.rotate", client_id, author.reason, details)
    connection.execute(
        update(clients)
        .where(clients.c.id == client_id)
        .values(seq=append_change(connection, change), secrets=_dump_secrets(rotated.secrets))
    )
    return rotated


def replace_keys(
    connection: Connection, client_id: str, keys: Sequence[Mapping[str, str]], author: Author
) -> OAuthClient:
    """Replace all public keys of a client; an assertion by a former one is refused from then on.

    Raises:
        UnknownClient: there is no client with this id.
        OtherAuthentication: it has a secret.
    """
    client = _lock_client(connection, client_id)
    if not client.public_keys:
        raise OtherAuthentication(client_id)
    details = {"public_keys": [key.get("kid") for key in keys]}
    change = Change(author.actor, "client.rotate", client_id, author.reason, details)
    connection.execute(
        update(clients)
        .where(clients.c.id == client_id)
        .values(seq=append_change(connection, change), public_keys=_dump_keys(keys))
    )
    return replace(client, public_keys=tuple(keys))


def remove_client(connection: Connection, tokens: Revocation, author: Author, now: float) -> None:
    """Remove the client that `tokens` names, and revoke its tokens.

    `now` is in seconds since the epoch.

    Raises:
        UnknownClient: there is no client with this id.
    """
    client_id = tokens.value
    _lock_client(connection, client_id)
    seq = append_change(connection, Change(author.actor, "client.remove", client_id, author.reason))
    values = {"seq": seq, "secrets": "[]", "public_keys": "[]", "removed_at": to_microseconds(now)}
    connection.execute(update(clients).where(clients.c.id == client_id).values(**values))
    revoke(connection, tokens, author)


def get_client(connection: Connection, client_id: str) -> OAuthClient:
    """Return a client.

    Raises:
        UnknownClient: there is none with this id, or it was removed.
    """
    client = _find(connection, client_id)
    if client is None or client.is_removed:
        raise UnknownClient(client_id)
    return client


def list_clients(connection: Connection, after: int = -1) -> list[OAuthClient]:
    """Return the clients whose last change comes after the entry `after` of the journal."""
    statement = select(clients).where(clients.c.seq > after).order_by(clients.c.id)
    return [_to_client(row) for row in connection.execute(statement)]


def _lock_client(connection: Connection, client_id: str) -> OAuthClient:
    """Return a client that this transaction changes, after the changes of all others.

    Raises:
        UnknownClient: there is none with this id, or it was removed.
    """
    lock_journal(connection)
    return get_client(connection, client_id)


def _find(connection: Connection, client_id: str) -> OAuthClient | None:
    row = connection.execute(select(clients).where(clients.c.id == client_id)).one_or_none()
    return None if row is None else _to_client(row)


def _dump_keys(keys: Sequence[Mapping[str, str]]) -> str:
    return json.dumps([dict(key) for key in keys])


def _dump_secrets(secrets: Sequence[ClientSecret]) -> str:
    return json.dumps(
        [
            {"hash": str(it.hash), "created_at": it.created_at, "expires_at": it.expires_at}
            for it in secrets
        ]
    )


def _to_client(row: Row[Any]) -> OAuthClient:
    return OAuthClient(
        id=row.id,
        scopes=tuple(json.loads(row.scopes)),
        secrets=tuple(
            ClientSecret(parse_hash(it["hash"]), it["created_at"], it["expires_at"])
            for it in json.loads(row.secrets)
        ),
        public_keys=tuple(json.loads(row.public_keys)),
        created_at=to_seconds(row.created_at),
        is_removed=row.removed_at is not None,
    )
