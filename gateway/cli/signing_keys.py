"""`lockgate signing-keys`: the keys that sign internal tokens. It never prints a private key."""

import argparse
import json
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from gateway.cli.standard_streams import print_error
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.cli.table import format_table
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.identity.key_timetable import KeyPeriods, SigningKeys
from gateway.identity.signing_key import SigningAlgorithm
from gateway.identity.signing_key_file import read_signing_keys
from gateway.settings.errors import ConfigError, InvalidSettings, get_variable
from gateway.settings.loader import load_settings

_HEAD = ("KEY", "ALGORITHM", "SIGNS FROM", "SIGNS UNTIL", "PUBLISHED UNTIL")


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = "Rotate or list the keys that sign internal tokens."
    example = "lockgate signing-keys list --file signing.jwks"
    parser = subcommands.add_parser(
        "signing-keys", help=purpose, description=purpose, epilog=f"example: {example}"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    rotate = add_subcommand(
        actions,
        "rotate",
        run_rotate,
        purpose="Add a key, which signs ten minutes later; create the file if there is none.",
        example="lockgate signing-keys rotate --file /etc/lockgate/signing.jwks",
    )
    rotate.add_argument(
        "--algorithm",
        choices=get_args(SigningAlgorithm),
        default="ES256",
        metavar="NAME",
        help="ES256 or EdDSA (default: ES256)",
    )
    listed = add_subcommand(
        actions,
        "list",
        run_list,
        purpose="List the keys with the times at which they sign and are published.",
        example="lockgate signing-keys list --file /etc/lockgate/signing.jwks --json",
    )
    for action in (rotate, listed):
        add_config_option(action)
        action.add_argument(
            "--file",
            type=Path,
            metavar="FILE",
            help="the file of the keys (default: identity.signing_key_file)",
        )
        action.add_argument("--json", action="store_true", help="print the keys as JSON")


def run_rotate(options: argparse.Namespace) -> int:
    """Add a key to the file, and print all keys. Returns 1 if that is not possible."""
    file = _find_file(options)
    try:
        keys = rotate_key_file(file, options.algorithm, time.time())
    except (OSError, ValueError) as error:
        return _refuse(file, error)
    _print_keys(keys, as_json=options.json)
    return 0


def run_list(options: argparse.Namespace) -> int:
    """Print the keys of the file. Returns 1 if it cannot be used."""
    file = _find_file(options)
    try:
        keys = read_signing_keys(file, of_any_owner=True)
    except ValueError as error:
        return _refuse(file, error)
    _print_keys(keys, as_json=options.json)
    return 0


def _find_file(options: argparse.Namespace) -> Path:
    """Return the file of `--file`, or else that of the settings, which are read only then.

    Raises:
        InvalidSettings: the settings are invalid, or name no file.
    """
    given: Path | None = options.file
    file = given or load_settings(options.config).identity.signing_key_file
    if file is None:
        path = "identity.signing_key_file"
        hint = f"set {get_variable(path)}, or pass --file FILE"
        message = "is required to know the file of the keys"
        raise InvalidSettings([ConfigError(path, message, hint)])
    return file


def _refuse(file: Path, error: OSError | ValueError) -> int:
    reason = f"cannot be written: {error.strerror}" if isinstance(error, OSError) else error
    print_error(f"{file}: {reason}")
    return 1


def _print_keys(keys: SigningKeys, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_to_json(period) for period in keys.periods]))
    else:
        print(format_table([_HEAD, *map(_to_row, keys.periods)]))


def _to_json(period: KeyPeriods) -> dict[str, str | None]:
    return {
        "kid": period.key.key_id,
        "algorithm": period.key.algorithm,
        "created_at": _format_time(period.key.created_at),
        "signs_from": _format_time(period.signs_from),
        "signs_until": _format_time(period.signs_until),
        "published_until": _format_time(period.published_until),
    }


def _to_row(period: KeyPeriods) -> tuple[str, ...]:
    times = (period.signs_from, period.signs_until, period.published_until)
    return (
        period.key.key_id,
        period.key.algorithm,
        *(_format_time(time) or "-" for time in times),
    )


def _format_time(seconds: float) -> str | None:
    """Return a time in UTC (RFC 3339); None for one that never comes."""
    if math.isinf(seconds):
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
