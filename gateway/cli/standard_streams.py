"""Standard input, output and error of a command: closed, full, or without a reader."""

import errno
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

_UNWRITABLE = {errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC, errno.EPIPE}


def open_closed_streams() -> None:
    """Open what the caller has closed, as by `2>&-`, on the null device.

    Otherwise the stream is None in Python, and the next file or socket takes its number: what a
    library then writes to standard error would be sent to a client.
    """
    # In this order: each file gets the lowest number that is free.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def escape_unprintable_output() -> None:
    """Escape what the encoding of the terminal does not have, such as a name in a settings file."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def run_with_output(run: Callable[[], int]) -> int:
    """Run a command; return 1, with a message, if its output cannot be written.

    Without a message if the reader of the output has left, as `head` does.
    """
    try:
        try:
            return run()
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        _drop_rest(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            print_error(f"the output cannot be written: {error.strerror}")
        return 1


def print_error(message: object) -> None:
    """Print a message on standard error, if that can be written."""
    try:
        print(f"lockgate: {message}", file=sys.stderr)
    except OSError:
        _drop_rest(sys.stderr)


def _drop_rest(stream: TextIO) -> None:
    """Drop what a stream could not write, which Python would try to write again at its exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
