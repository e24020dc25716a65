"""Parses the arguments of `lockgate limits`."""

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime

from gateway.cli.limits.end_time import parse_end
from gateway.ratelimit.bounds import MAX_TIMES
from gateway.storage.journal_bounds import MAX_TEXT_LENGTH

_POLICY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_KEY = re.compile(r"[a-z][a-z0-9_:.-]*:.{1,512}")


def parse_policy(text: str) -> str:
    """Parse the name of a policy. The completion of the shell offers the names for it."""
    if not _POLICY.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a policy")
    return text


def parse_key(text: str) -> str:
    """Parse the key of a caller, such as `user:42`."""
    if not _KEY.fullmatch(text) or not text.isprintable():
        message = f"{text!r} must be a key such as user:42, service:billing or address:192.0.2.7"
        raise argparse.ArgumentTypeError(message)
    return text


def parse_reason(text: str) -> str:
    """Parse the reason of a change, for the journal."""
    if not text.strip() or not text.isprintable() or len(text) > MAX_TEXT_LENGTH:
        message = f"must be 1 to {MAX_TEXT_LENGTH} printable characters"
        raise argparse.ArgumentTypeError(message)
    return text.strip()


def parse_until(text: str) -> datetime:
    """Parse the end of a change."""
    try:
        return parse_end(text, datetime.now(UTC))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error


def parse_times(text: str) -> float:
    """Parse the factor of an override."""
    try:
        times = float(text)
    except ValueError:
        times = 0
    if not 0 < times <= MAX_TIMES:  # not a NaN either
        message = f"{text!r} must be a number greater than 0, such as 5 or 0.5"
        raise argparse.ArgumentTypeError(message)
    return times


def within(least: int, most: int) -> Callable[[str], int]:
    """Return the parser of a whole number within these bounds."""

    def parse_number(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
            message = f"{text!r} must be a whole number, {least} to {most}"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return parse_number
