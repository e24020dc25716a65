"""Reads a small file as a whole: settings, secrets, keys and certificates."""

import os
import stat
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = "is a directory, not a file; Docker creates one if the file to mount does not exist"


class UnreadableFile(ValueError):
    """The file cannot be read, or is too large. The message has the reason, without the path."""


def read_bounded_file(
    path: Path, max_bytes: int, *, is_private: bool = False, of_any_owner: bool = False
) -> bytes:
    """Read a regular file. A relative path is one of the working directory.

    `is_private` requires that no other user can read or write the file, and that it belongs to root
    or to the user of this process, unless it may be `of_any_owner`. For a symbolic link, this is
    about its target.

    Raises:
        UnreadableFile: it cannot be read, is not a regular file, is larger than `max_bytes`, or
            is not private.
    """
    try:
        content, status = _read(path, max_bytes)
    except OSError as error:
        raise UnreadableFile(_describe(path, error)) from None
    except ValueError:
        raise UnreadableFile("cannot be read: the path has a null byte") from None
    fault = _find_kind_fault(status)
    if not fault and len(content) > max_bytes:
        fault = f"is larger than {max_bytes} bytes"
    if not fault and is_private:
        fault = _find_mode_fault(status) or ("" if of_any_owner else _find_owner_fault(status))
    if fault:
        raise UnreadableFile(fault)
    return content


def _read(path: Path, max_bytes: int) -> tuple[bytes, os.stat_result]:
    """Return the content of a regular file, or b"", and one byte more than the bound at most."""
    # Without O_NONBLOCK, `open` would wait for a program that writes to a FIFO.
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        status = os.fstat(file.fileno())
        return file.read(max_bytes + 1) if stat.S_ISREG(status.st_mode) else b"", status


def _find_kind_fault(status: os.stat_result) -> str:
    """Return why this is not a regular file, or ""."""
    if stat.S_ISREG(status.st_mode):
        return ""
    if stat.S_ISDIR(status.st_mode):
        return _DIRECTORY
    return "is not a regular file, but a FIFO, a socket or a device"


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


def _find_owner_fault(status: os.stat_result) -> str:
    """Return why the owner of a private file is another user, who can change it, or ""."""
    user = os.geteuid()
    if status.st_uid in {0, user}:
        return ""
    return (
        f"belongs to the user {status.st_uid}; it must belong to root, or to the user {user}, "
        "which runs this process"
    )


def _describe_absence(path: Path) -> str:
    if path.is_symlink():
        return "is a symbolic link to no file"
    return "there is no such file" + ("" if path.is_absolute() else f": {path.absolute()}")


def _describe(path: Path, error: OSError) -> str:
    """Return why a file cannot be read, in words that name the usual cause in a container."""
    if isinstance(error, FileNotFoundError):
        return _describe_absence(path)
    if isinstance(error, IsADirectoryError):
        return _DIRECTORY
    if isinstance(error, PermissionError):
        return f"cannot be read by the user {os.geteuid()}, which runs this process"
    return f"cannot be read: {error.strerror or error}"
