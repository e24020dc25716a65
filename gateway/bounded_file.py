"""Reads a small file as a whole: settings, secrets, keys and certificates."""

import os
from pathlib import Path


class UnreadableFile(ValueError):
    """The file cannot be read, or is too large. The message has the reason, without the path."""


def read_bounded_file(path: Path, max_bytes: int) -> bytes:
    """Read a file. A relative path is one of the working directory.

    Raises:
        UnreadableFile: it cannot be read, or has more than `max_bytes` bytes.
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableFile(_describe(path, error)) from None
    except ValueError as error:
        raise UnreadableFile(f"cannot be read: {error}") from None
    if len(content) > max_bytes:
        raise UnreadableFile(f"is larger than {max_bytes} bytes")
    return content


def _describe(path: Path, error: OSError) -> str:
    """Return why a file cannot be read, in words that name the usual cause in a container."""
    if isinstance(error, FileNotFoundError):
        return "is a symbolic link to no file" if path.is_symlink() else "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "is a directory, not a file; Docker creates one if the file to mount does not exist"
    if isinstance(error, PermissionError):
        return f"cannot be read by the user {os.geteuid()}, which runs this process"
    return f"cannot be read: {error.strerror or error}"
