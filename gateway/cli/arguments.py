"""Parses the arguments that several subcommands share."""

import argparse

from gateway.api_keys.api_key import RESERVED_CLAIMS
from gateway.auth.jwt.ids import MAX_NAME_LENGTH, read_id
from gateway.auth.principal import CLAIM_NAME, SCOPE
from gateway.settings.setting_types import CLIENT_ID


def parse_name(text: str) -> str:
    """Parse the name of a client or of the holder of a key."""
    if not CLIENT_ID.fullmatch(text):
        message = f"{text!r} must be 1 to 64 letters, digits and . _ -"
        raise argparse.ArgumentTypeError(message)
    return text


def parse_scope(text: str) -> str:
    """Parse one scope (RFC 6749, section 3.3)."""
    if not SCOPE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} must be one scope, such as orders:read")
    return text


def parse_claim(text: str) -> tuple[str, str]:
    """Parse a claim, such as plan=pro, to its name and value."""
    name, _, value = text.partition("=")
    if not CLAIM_NAME.fullmatch(name) or read_id(value) is None:
        message = (
            f"{text[:80]!r} must be NAME=VALUE, such as plan=pro: a name in ASCII of at most 200"
            f" characters, and a printable value of at most {MAX_NAME_LENGTH}"
        )
        raise argparse.ArgumentTypeError(message)
    if name in RESERVED_CLAIMS:
        message = f"{name!r} cannot be set: the key itself stands for it"
        raise argparse.ArgumentTypeError(message)
    return name, value


def parse_number(text: str, *, unit: str, least: int, most: int) -> int:
    """Parse a whole number of a unit, such as days."""
    if not text.isascii() or not text.isdecimal() or not least <= int(text) <= most:
        message = f"{text!r} must be a number of {unit}, {least} to {most}"
        raise argparse.ArgumentTypeError(message)
    return int(text)
