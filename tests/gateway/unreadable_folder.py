"""A folder whose files the user of this process cannot reach, also if that is root."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65_534


@contextmanager
def make_unreadable(folder: Path) -> Iterator[None]:
    """Make a folder unreadable; root becomes another user, who cannot read it."""
    user = os.geteuid()
    folder.chmod(0)
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)
