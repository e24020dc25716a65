"""Adds a key to the file of signing keys, and removes those whose last token has expired."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gateway.identity.signing_key import (
    SigningAlgorithm,
    SigningKey,
    build_private_members,
    generate_signing_key,
)
from gateway.identity.signing_key_file import MAX_KEYS, InvalidSigningKeys, read_signing_keys
from gateway.identity.signing_keys import SigningKeys


def rotate_key_file(path: Path, algorithm: SigningAlgorithm, now: float) -> SigningKeys:
    """Add a new key, and return the keys of the file. Without a file, create it. Blocks.

    The file is replaced as a whole: a process that reads it never sees a part. The new file has the
    owner and the mode of the former, or else those of the caller and 0600.

    Raises:
        UnreadableFile, InvalidSigningKeys: there is a file, and its keys cannot be kept.
        OSError: the file cannot be written.
    """
    path = path.resolve()  # the target of a symbolic link is replaced, not the link
    former = read_signing_keys(path, of_any_owner=True) if path.exists() else None
    kept = former.list_published(now) if former else []
    if len(kept) >= MAX_KEYS:
        message = f"has {len(kept)} keys in use, and at most {MAX_KEYS} are allowed"
        raise InvalidSigningKeys(f"{message}; rotate again once the first of them has ended")
    # Whole seconds, each key later than the one before: the order of the keys is that of the file.
    created_at = max([int(now), *(int(key.created_at) + 1 for key in kept)])
    keys = [*kept, generate_signing_key(algorithm, created_at)]
    _replace_file(path, _serialize(keys))
    return SigningKeys(keys)


def _serialize(keys: Sequence[SigningKey]) -> bytes:
    members = [
        {**build_private_members(key.private), **key.public_jwk, "iat": key.created_at}
        for key in keys
    ]
    return f"{json.dumps({'keys': members}, indent=2)}\n".encode()


def _replace_file(path: Path, content: bytes) -> None:
    with _create_temporary_file(path) as (temporary, file):
        if path.exists():
            _copy_owner_and_mode(path, file.fileno())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name of the file survives a power failure, too
    finally:
        os.close(folder)


def _copy_owner_and_mode(path: Path, descriptor: int) -> None:
    """Let the gateway read a file that root rotates."""
    status = path.stat()
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, status.st_mode & 0o777)


@contextmanager
def _create_temporary_file(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Create a file beside `path`, readable for its owner alone; it is gone after an error."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield temporary, file
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
