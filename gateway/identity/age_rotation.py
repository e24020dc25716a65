"""Rotates the signing keys in the database by their age: when the newest is too old.

`key_timetable.py` says from when on a new key signs, and until when a former one is published.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from gateway.identity.key_encryption import KeyEncryption
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.stored_keys import StoredKey, list_stored_keys, rotate_stored_keys
from gateway.storage.journal import Author
from gateway.storage.locks import lock_journal

DAY = 86_400


def rotate_by_age(
    connection: Connection, encryption: KeyEncryption, days: float, now: float
) -> SigningKeys | None:
    """Add a key if there is none, or if the newest is older than `days`; 0 stands for no age.

    Returns None if there was nothing to do. Several processes may try at once: one of them does it.

    Raises:
        UndecryptableKey, InvalidSigningKeys: as `rotate_stored_keys`.
    """
    lock_journal(connection)
    stored = list_stored_keys(connection)
    if not is_rotation_due(stored, days, now):
        return None
    reason = f"the newest was older than {days:g} days" if stored else "there was none"
    return rotate_stored_keys(connection, encryption, "ES256", Author("lockgate", reason), now)


def is_rotation_due(stored: Sequence[StoredKey], days: float, now: float) -> bool:
    """Whether there is no key, or the newest is older than `days`; 0 stands for no age."""
    if not stored:
        return True
    return days > 0 and now >= max(key.created_at for key in stored) + days * DAY


def list_after_rotation(
    connection: Connection, encryption: KeyEncryption, days: float, now: float
) -> list[StoredKey]:
    """Read the keys, without decrypting them, after a rotation if one is due.

    Raises:
        UndecryptableKey: the key file has not encrypted one of them.
    """
    rotate_by_age(connection, encryption, days, now)
    return list_stored_keys(connection)
