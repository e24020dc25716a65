"""Adds a key to the file of signing keys, and removes those whose last token has expired."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

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

    The file is replaced as a whole: a process that reads it never sees a part. The new file has the
    owner and the mode of the former, or else those of the caller and 0600. Of several rotations at
    once, one waits for the other, so that none removes the new key of another.

    Raises:
        UnreadableFile, InvalidSigningKeys: there is a file, and its keys cannot be kept.
        OSError: the file cannot be written.
    """
    path = path.resolve()  # the target of a symbolic link is replaced, not the link
    with _lock_folder(path.parent) as folder:
        keys = _add_key(path, algorithm, now)
        _replace_file(path, _serialize(keys))
        os.fsync(folder)  # the new name of the file survives a power failure, too
    return SigningKeys(keys)


@contextmanager
def _lock_folder(path: Path) -> Iterator[int]:
    """Lock the folder of the file, not the file itself, which is replaced; yield its descriptor."""
    folder = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems lock no folder
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


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


def _replace_file(path: Path, content: bytes) -> None:
    with _create_temporary_file(path) as (temporary, file):
        if path.exists():
            _copy_owner_and_mode(path, file.fileno())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        temporary.replace(path)


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
