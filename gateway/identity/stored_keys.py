"""The signing keys in the database: read, rotated, each change with its entry in the journal.

`age_rotation.py` decides when they are rotated, `open_stored_keys.py` runs that in a process.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from gateway.identity.key_encryption import KeyEncryption, UndecryptableKey
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key import (
    SigningAlgorithm,
    SigningKey,
    build_private_members,
    generate_signing_key,
)
from gateway.identity.signing_key_file import MAX_KEYS, InvalidSigningKeys, parse_private_key
from gateway.storage.journal import Author, Change, append_change
from gateway.storage.locks import lock_journal
from gateway.storage.tables import journal, signing_keys
from gateway.storage.timestamps import to_microseconds, to_seconds

_PREFIX = "signing_key."
"""That of the actions in the journal that change the keys."""


class StoredKey(NamedTuple):
    """A signing key as it is stored: `private` is encrypted. `created_at` is in seconds."""

    key_id: str
    created_at: float
    private: bytes
    encryption_key_id: str


def list_stored_keys(connection: Connection) -> list[StoredKey]:
    """Read the keys, the oldest first, without decrypting them."""
    columns = signing_keys.c
    rows = connection.execute(select(signing_keys).order_by(columns.created_at, columns.key_id))
    return [
        StoredKey(row.key_id, to_seconds(row.created_at), bytes(row.private), row.encryption_key_id)
        for row in rows
    ]


def has_changes(connection: Connection, after: int) -> bool:
    """Whether the journal has a change of the keys after the entry `after`."""
    found = select(journal.c.seq).where(
        journal.c.seq > after, journal.c.action.startswith(_PREFIX, autoescape=True)
    )
    return connection.scalar(found.limit(1)) is not None


def decrypt_keys(stored: Sequence[StoredKey], encryption: KeyEncryption) -> SigningKeys | None:
    """Decrypt the keys; None if there is none.

    Raises:
        UndecryptableKey: the key file has not encrypted one of them.
    """
    keys = [
        SigningKey(key.key_id, key.created_at, parse_private_key(_decrypt(key, encryption)))
        for key in stored
    ]
    return SigningKeys(keys) if keys else None


def read_stored_keys(connection: Connection, encryption: KeyEncryption) -> SigningKeys | None:
    """Read the keys; None if there is none yet.

    Raises:
        UndecryptableKey: the key file has not encrypted one of them.
    """
    return decrypt_keys(list_stored_keys(connection), encryption)


def rotate_stored_keys(
    connection: Connection,
    encryption: KeyEncryption,
    algorithm: SigningAlgorithm,
    author: Author,
    now: float,
) -> SigningKeys:
    """Add a key, remove those whose last token has expired, and return the keys.

    Raises:
        UndecryptableKey: the key file has not encrypted one of them.
        InvalidSigningKeys: too many keys are in use.
    """
    lock_journal(connection)
    former = read_stored_keys(connection, encryption)
    kept = former.list_published(now) if former else []
    if len(kept) >= MAX_KEYS:
        message = f"{len(kept)} keys are in use, and at most {MAX_KEYS} are allowed"
        raise InvalidSigningKeys(f"{message}; rotate again once the first of them has ended")
    created_at = max([int(now), *(int(key.created_at) + 1 for key in kept)])
    added = generate_signing_key(algorithm, created_at)
    _remove_others(connection, kept, author)
    _insert(connection, added, encryption, author)
    return SigningKeys([*kept, added])


def remove_stored_keys(connection: Connection, author: Author) -> None:
    """Remove all keys, as after a theft of them, or of the key file: the next one signs at once."""
    lock_journal(connection)
    _remove_others(connection, (), author)


def reencrypt_stored_keys(
    connection: Connection, encryption: KeyEncryption, author: Author
) -> list[str]:
    """Encrypt with the first key of the file what another has encrypted; return the ids.

    Raises:
        UndecryptableKey: the key file has not encrypted one of them.
    """
    lock_journal(connection)
    stored = [
        key for key in list_stored_keys(connection) if key.encryption_key_id != encryption.key_id
    ]
    for key in stored:
        details = {"encryption_key": encryption.key_id, "former": key.encryption_key_id}
        change = Change(author.actor, f"{_PREFIX}encrypt", key.key_id, author.reason, details)
        content = json.dumps(_decrypt(key, encryption)).encode()
        connection.execute(
            update(signing_keys)
            .where(signing_keys.c.key_id == key.key_id)
            .values(
                seq=append_change(connection, change),
                private=encryption.encrypt(content, key.key_id),
                encryption_key_id=encryption.key_id,
            )
        )
    return [key.key_id for key in stored]


def _decrypt(key: StoredKey, encryption: KeyEncryption) -> dict[str, str]:
    """Return the private JWK of a key."""
    try:
        content = encryption.decrypt(key.private, key.key_id, key.encryption_key_id)
    except UndecryptableKey as error:
        raise UndecryptableKey(f"the signing key {key.key_id}: {error}") from None
    members: dict[str, str] = json.loads(content)
    return members


def _remove_others(connection: Connection, kept: Sequence[SigningKey], author: Author) -> None:
    ids = {key.key_id for key in kept}
    for key in list_stored_keys(connection):
        if key.key_id not in ids:
            change = Change(author.actor, f"{_PREFIX}remove", key.key_id, author.reason)
            append_change(connection, change)
            connection.execute(delete(signing_keys).where(signing_keys.c.key_id == key.key_id))


def _insert(
    connection: Connection, key: SigningKey, encryption: KeyEncryption, author: Author
) -> None:
    details = {"algorithm": key.algorithm, "encryption_key": encryption.key_id}
    change = Change(author.actor, f"{_PREFIX}add", key.key_id, author.reason, details)
    content = json.dumps(build_private_members(key.private)).encode()
    connection.execute(
        insert(signing_keys).values(
            key_id=key.key_id,
            seq=append_change(connection, change),
            created_at=to_microseconds(key.created_at),
            private=encryption.encrypt(content, key.key_id),
            encryption_key_id=encryption.key_id,
        )
    )
