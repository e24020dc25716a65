"""Reads and replaces a file of private keys as a whole; one lock for each folder of such files."""

import fcntl
import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gateway.bounded_file import read_bounded_file

MAX_FILE_BYTES = 65_536

_SUFFIX = ".new"


def read_key_document(path: Path, *, of_any_owner: bool = False) -> bytes:
    """Read the file as it is. Blocks.

    `of_any_owner` is for root, who rotates or lists the keys of the user of the gateway.

    Raises:
        UnreadableFile: the file cannot be read, is too large, or other users can use it.
    """
    return read_bounded_file(path, MAX_FILE_BYTES, is_private=True, of_any_owner=of_any_owner)


@contextmanager
def lock_folder(path: Path) -> Iterator[int]:
    """Lock the folder of a file, not the file itself, which is replaced; yield its descriptor."""
    folder = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems lock no folder
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


def replace_document(path: Path, content: bytes, folder: int) -> None:
    """Replace the file, or create it; a process that reads it never sees a part. Blocks.

    The new file has the owner and the mode of the former, or else those of the caller and 0600. It
    is on the disk at the return. `folder` is the descriptor of its locked folder: a new file that
    a killed process has left there is removed.

    Raises:
        OSError: the file cannot be written.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{_SUFFIX}"):
        left.unlink(missing_ok=True)
    with _create_temporary_file(path) as (temporary, file):
        if path.exists():
            _copy_owner_and_mode(path, file.fileno())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        temporary.replace(path)
    os.fsync(folder)  # the new name of the file survives a power failure, too


def _copy_owner_and_mode(path: Path, descriptor: int) -> None:
    """Let the gateway read a file that root rotates."""
    status = path.stat()
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, status.st_mode & 0o777)


@contextmanager
def _create_temporary_file(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Create a file beside `path`, readable for its owner alone; it is gone after an error."""
    prefix = f".{path.name}."
    descriptor, name = tempfile.mkstemp(_SUFFIX, prefix, path.parent)  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield temporary, file
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
