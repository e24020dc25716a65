"""Signing keys in the database: encrypted, rotated by command and by age."""

import time
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Connection, text

from gateway.identity.age_rotation import rotate_by_age
from gateway.identity.key_encryption import EncryptionKey, KeyEncryption, UndecryptableKey
from gateway.identity.key_timetable import RETIREMENT, SIGNING_DELAY, SigningKeys
from gateway.identity.signing_key import SigningAlgorithm, build_private_members
from gateway.identity.signing_key_file import MAX_KEYS, InvalidSigningKeys
from gateway.identity.stored_keys import read_stored_keys, rotate_stored_keys
from gateway.storage.database import Database
from gateway.storage.journal import Author, read_entries
from gateway.storage.verify_journal import verify_journal

ENCRYPTION = KeyEncryption([EncryptionKey("k1", bytes(range(32)))])
DAY = 86_400
NOW = float(int(time.time()))


def rotate(database: Database, now: float, algorithm: SigningAlgorithm = "ES256") -> SigningKeys:
    return database.write_now(
        partial(
            rotate_stored_keys,
            encryption=ENCRYPTION,
            algorithm=algorithm,
            author=Author("jane", "yearly"),
            now=now,
        )
    )


def read(database: Database, encryption: KeyEncryption = ENCRYPTION) -> SigningKeys | None:
    return database.read_now(partial(read_stored_keys, encryption=encryption))


def by_age(days: float, now: float) -> Callable[[Connection], SigningKeys | None]:
    return partial(rotate_by_age, encryption=ENCRYPTION, days=days, now=now)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_key_is_read_as_it_was_written(database: Database, algorithm: SigningAlgorithm) -> None:
    assert read(database) is None
    [written] = [period.key for period in rotate(database, NOW, algorithm).periods]
    stored = read(database)
    assert stored is not None
    [key] = [period.key for period in stored.periods]
    assert (key.key_id, key.created_at, key.algorithm) == (written.key_id, NOW, algorithm)
    assert key.public_jwk == written.public_jwk
    assert build_private_members(key.private) == build_private_members(written.private)


def test_a_rotation_keeps_what_is_needed_and_removes_the_rest(database: Database) -> None:
    [first] = rotate(database, NOW).ids
    assert first in rotate(database, NOW + DAY).ids
    end_of_first = NOW + DAY + SIGNING_DELAY + RETIREMENT
    later = rotate(database, end_of_first)
    assert first not in later.ids
    assert len(later.ids) == 2
    entries = database.read_now(partial(read_entries, after=0, limit=10))
    changes = [(entry.change.action, entry.change.subject) for entry in entries]
    assert changes == [
        ("signing_key.add", first),
        ("signing_key.add", later.ids[0]),
        ("signing_key.remove", first),
        ("signing_key.add", later.ids[1]),
    ]
    assert entries[0].change.details == {"algorithm": "ES256", "encryption_key": "k1"}
    assert database.read_now(verify_journal).seq == 4


def test_too_many_keys_are_refused(database: Database) -> None:
    for _ in range(MAX_KEYS):
        rotate(database, NOW)
    with pytest.raises(InvalidSigningKeys, match="16 keys are in use"):
        rotate(database, NOW)


def test_keys_are_rotated_by_age(database: Database) -> None:
    first = database.write_now(by_age(30, NOW))
    assert first is not None
    assert database.write_now(by_age(30, NOW + 30 * DAY - 1)) is None
    assert database.write_now(by_age(0, NOW + 900 * DAY)) is None
    second = database.write_now(by_age(30, NOW + 30 * DAY))
    assert second is not None
    assert second.ids[0] == first.ids[0]
    assert database.write_now(by_age(30, NOW + 30 * DAY)) is None


def test_another_key_file_cannot_read_them(database: Database) -> None:
    rotate(database, NOW)
    other = KeyEncryption([EncryptionKey("k2", bytes(32))])
    with pytest.raises(UndecryptableKey, match="it was encrypted with k1, which the key file lack"):
        read(database, other)
    changed = KeyEncryption([EncryptionKey("k1", bytes(32))])
    with pytest.raises(UndecryptableKey, match="k1 has not encrypted it"):
        read(database, changed)


def test_a_key_under_the_name_of_another_is_refused(database: Database) -> None:
    rotate(database, NOW)
    database.write_now(
        lambda connection: connection.execute(text("UPDATE signing_keys SET key_id = 'other'"))
    )
    with pytest.raises(UndecryptableKey):
        read(database)
