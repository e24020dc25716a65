"""Reads a small file as a whole: settings, secrets, keys and certificates."""

import os
import stat
from pathlib import Path


class UnreadableFile(ValueError):
    """The file cannot be read, or is too large. The message has the reason, without the path."""


def read_bounded_file(path: Path, max_bytes: int, *, is_private: bool = False) -> bytes:
    """Read a file. A relative path is one of the working directory.

    `is_private` requires that no other user can read or write the file.

    Raises:
        UnreadableFile: it cannot be read, has more than `max_bytes` bytes, or is not private.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableFile(_describe(path, error)) from None
    except ValueError as error:
        raise UnreadableFile(f"cannot be read: {error}") from None
    if len(content) > max_bytes:
        raise UnreadableFile(f"is larger than {max_bytes} bytes")
    if is_private and (fault := _find_mode_fault(status)):
        raise UnreadableFile(fault)
    return content


def _find_mode_fault(status: os.stat_result) -> str:
    """Return why others can use a private file, or "".

    The rule is that of PostgreSQL for its TLS key: the owner alone, or also the group to read it if
    the owner is root. In Kubernetes, a file of a Secret is root's and of the group `fsGroup`.
    """
    mode = stat.S_IMODE(status.st_mode)
    allowed = 0o740 if status.st_uid == 0 else 0o700
    if not mode & ~allowed:
        return ""
    return f"has the mode {mode:04o}, with which other users can use it; run chmod 0600 on it"


def _describe(path: Path, error: OSError) -> str:
    """Return why a file cannot be read, in words that name the usual cause in a container."""
    if isinstance(error, FileNotFoundError):
        return "is a symbolic link to no file" if path.is_symlink() else "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "is a directory, not a file; Docker creates one if the file to mount does not exist"
    if isinstance(error, PermissionError):
        return f"cannot be read by the user {os.geteuid()}, which runs this process"
    return f"cannot be read: {error.strerror or error}"
