"""The signing keys in the database: read, rotated, each change with its entry in the journal."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from gateway.identity.key_encryption import KeyEncryption
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
from gateway.storage.tables import signing_keys
from gateway.storage.timestamps import to_microseconds, to_seconds

_DAY = 86_400


def read_stored_keys(connection: Connection, encryption: KeyEncryption) -> SigningKeys | None:
    """Read the keys; None if there is none yet.

    Raises:
        UndecryptableKey: the key file has not encrypted one of them.
    """
    keys = list[SigningKey]()
    for row in connection.execute(select(signing_keys)):
        content = encryption.decrypt(bytes(row.private), row.key_id, row.encryption_key_id)
        private = parse_private_key(json.loads(content))
        keys.append(SigningKey(row.key_id, to_seconds(row.created_at), private))
    return SigningKeys(keys) if keys else None


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
    _remove_others(connection, kept)
    _insert(connection, added, encryption, author)
    return SigningKeys([*kept, added])


def rotate_by_age(
    connection: Connection, encryption: KeyEncryption, days: float, now: float
) -> SigningKeys | None:
    """Add a key if there is none, or if the newest is older than `days`; 0 stands for no age.

    Returns None if there was nothing to do. Several processes may try at once: one of them does it.

    Raises:
        UndecryptableKey, InvalidSigningKeys: as `rotate_stored_keys`.
    """
    lock_journal(connection)
    keys = read_stored_keys(connection, encryption)
    newest = keys.periods[-1].key.created_at if keys else None
    if newest is not None and (days == 0 or now < newest + days * _DAY):
        return None
    reason = "there was none" if newest is None else f"the newest was older than {days:g} days"
    return rotate_stored_keys(connection, encryption, "ES256", Author("lockgate", reason), now)


def _remove_others(connection: Connection, kept: Sequence[SigningKey]) -> None:
    ids = [key.key_id for key in kept]
    connection.execute(delete(signing_keys).where(signing_keys.c.key_id.not_in(ids)))


def _insert(
    connection: Connection, key: SigningKey, encryption: KeyEncryption, author: Author
) -> None:
    details = {"algorithm": key.algorithm, "encryption_key": encryption.key_id}
    change = Change(author.actor, "signing_key.add", key.key_id, author.reason, details)
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
