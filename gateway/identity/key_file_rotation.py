"""Adds a key to the file of signing keys, and removes those whose last token has expired."""

import json
from collections.abc import Sequence
from pathlib import Path

from gateway.identity.key_document import lock_folder, replace_document
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key import (
    SigningAlgorithm,
    SigningKey,
    build_private_members,
    generate_signing_key,
)
from gateway.identity.signing_key_file import MAX_KEYS, InvalidSigningKeys, read_signing_keys


def rotate_key_file(path: Path, algorithm: SigningAlgorithm, now: float) -> SigningKeys:
    """Add a new key, and return the keys of the file. Without a file, create it. Blocks.

    Of several rotations at once, one waits for the other, so that none removes the new key of
    another.

    Raises:
        UnreadableFile, InvalidSigningKeys: there is a file, and its keys cannot be kept.
        OSError: the file cannot be written.
    """
    path = path.resolve()  # the target of a symbolic link is replaced, not the link
    with lock_folder(path.parent) as folder:
        keys = _add_key(path, algorithm, now)
        replace_document(path, _serialize(keys), folder)
    return SigningKeys(keys)


def _add_key(path: Path, algorithm: SigningAlgorithm, now: float) -> list[SigningKey]:
    """Return the keys of the file that are still needed, and a new one."""
    former = read_signing_keys(path, of_any_owner=True) if path.exists() else None
    kept = former.list_published(now) if former else []
    if len(kept) >= MAX_KEYS:
        message = f"has {len(kept)} keys in use, and at most {MAX_KEYS} are allowed"
        raise InvalidSigningKeys(f"{message}; rotate again once the first of them has ended")
    # Whole seconds, each key later than the one before: the order of the keys is that of the file.
    created_at = max([int(now), *(int(key.created_at) + 1 for key in kept)])
    return [*kept, generate_signing_key(algorithm, created_at)]


def _serialize(keys: Sequence[SigningKey]) -> bytes:
    members = [
        {**build_private_members(key.private), **key.public_jwk, "iat": key.created_at}
        for key in keys
    ]
    return f"{json.dumps({'keys': members}, indent=2)}\n".encode()
