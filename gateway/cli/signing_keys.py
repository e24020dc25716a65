"""`lockgate signing-keys`: the keys that sign tokens. It never prints a private key."""

import argparse
import json
import math
import time
from functools import partial
from pathlib import Path
from typing import get_args

from sqlalchemy import Connection

from gateway.cli.author import add_author_options, get_author
from gateway.cli.database import open_database
from gateway.cli.subcommand import Subcommands, add_action
from gateway.cli.table import format_table
from gateway.cli.time_format import format_time
from gateway.identity.key_encryption import read_key_file
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.identity.key_timetable import KeyPeriods, SigningKeys
from gateway.identity.signing_key import SigningAlgorithm
from gateway.identity.signing_key_file import read_signing_keys
from gateway.identity.stored_keys import read_stored_keys, remove_stored_keys, rotate_stored_keys
from gateway.settings.errors import ConfigError, InvalidSettings, get_variable
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings
from gateway.startup_error import StartupError

_HEAD = ("KEY", "ALGORITHM", "SIGNS FROM", "SIGNS UNTIL", "PUBLISHED UNTIL")


class KeysFailed(StartupError):
    """The keys cannot be listed or rotated; the message says why, without a private part."""


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = "Rotate or list the keys that sign tokens, in a file or in the database."
    example = "lockgate signing-keys list --file signing.jwks"
    parser = subcommands.add_parser(
        "signing-keys", help=purpose, description=purpose, epilog=f"example: {example}"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    rotate = add_action(
        actions,
        "rotate",
        run_rotate,
        "Add a key, which signs ten minutes later; create the file if there is none.",
        "lockgate signing-keys rotate --reason 'yearly, by hand'",
    )
    _add_rotate_options(rotate)
    listed = add_action(
        actions,
        "list",
        run_list,
        "List the keys with the times at which they sign and are published.",
        "lockgate signing-keys list --file /etc/lockgate/signing.jwks --json",
    )
    for action in (rotate, listed):
        action.add_argument(
            "--file",
            type=Path,
            metavar="FILE",
            help="the file of the keys (default: identity.signing_key_file, or the database)",
        )


def run_rotate(options: argparse.Namespace) -> int:
    """Add a key to the file or to the database, and print all keys."""
    keys = _find_place(options).rotate(options)
    _print_keys(keys, as_json=options.json)
    return 0


def run_list(options: argparse.Namespace) -> int:
    """Print the keys of the file or of the database."""
    _print_keys(_find_place(options).list_keys(), as_json=options.json)
    return 0


def _add_rotate_options(rotate: argparse.ArgumentParser) -> None:
    rotate.add_argument(
        "--algorithm",
        choices=get_args(SigningAlgorithm),
        default="ES256",
        metavar="NAME",
        help="ES256 or EdDSA (default: ES256)",
    )
    rotate.add_argument(
        "--drop-former",
        action="store_true",
        help="remove all other keys from the database: they were stolen, or cannot be decrypted",
    )
    add_author_options(rotate)


def _find_place(options: argparse.Namespace) -> "_KeysInFile | _KeysInDatabase":
    """Return where the keys are. With `--file`, the settings are not read.

    Raises:
        InvalidSettings: the settings are invalid, or name no place.
    """
    if options.file is not None:
        return _KeysInFile(options.file)
    settings = load_settings(options.config)
    identity = settings.identity
    if identity.signing_key_file is not None:
        return _KeysInFile(identity.signing_key_file)
    if identity.key_file is not None:
        return _KeysInDatabase(settings, identity.key_file)
    path = "identity.signing_key_file"
    stored = get_variable("identity.key_file")
    hint = (
        f"set {get_variable(path)}, or pass --file FILE; or for keys in the database, set {stored}"
    )
    raise InvalidSettings([ConfigError(path, "is required to know the file of the keys", hint)])


class _KeysInFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def rotate(self, options: argparse.Namespace) -> SigningKeys:
        if options.drop_former:
            message = f"--drop-former is for keys in the database; delete {self._path} instead"
            raise KeysFailed(message)
        try:
            return rotate_key_file(self._path, options.algorithm, time.time())
        except (OSError, ValueError) as error:
            raise _describe_failure(self._path, error) from error

    def list_keys(self) -> SigningKeys:
        try:
            return read_signing_keys(self._path, of_any_owner=True)
        except ValueError as error:
            raise _describe_failure(self._path, error) from error


class _KeysInDatabase:
    def __init__(self, settings: Settings, key_file: Path) -> None:
        self._settings = settings
        try:
            self._encryption = read_key_file(key_file, of_any_owner=True)
        except ValueError as error:
            raise _describe_failure(key_file, error) from error

    def rotate(self, options: argparse.Namespace) -> SigningKeys:
        author, now = get_author(options), time.time()

        def rotate(connection: Connection) -> SigningKeys:
            if options.drop_former:
                remove_stored_keys(connection, author)
            return rotate_stored_keys(connection, self._encryption, options.algorithm, author, now)

        with open_database(self._settings, creates_file=True) as database:
            try:
                return database.write_now(rotate)
            except ValueError as error:
                raise KeysFailed(f"the keys are as they were: {error}") from error

    def list_keys(self) -> SigningKeys:
        with open_database(self._settings) as database:
            try:
                keys = database.read_now(partial(read_stored_keys, encryption=self._encryption))
            except ValueError as error:
                raise KeysFailed(f"the keys cannot be read: {error}") from error
        if keys is None:
            raise KeysFailed("the database has no keys yet; `lockgate serve` makes the first one")
        return keys


def _describe_failure(file: Path, error: OSError | ValueError) -> KeysFailed:
    reason = f"cannot be written: {error.strerror}" if isinstance(error, OSError) else error
    return KeysFailed(f"{file}: {reason}")


def _print_keys(keys: SigningKeys, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_to_json(period) for period in keys.periods]))
    else:
        print(format_table([_HEAD, *map(_to_row, keys.periods)]))


def _to_json(period: KeyPeriods) -> dict[str, str | None]:
    return {
        "kid": period.key.key_id,
        "algorithm": period.key.algorithm,
        "created_at": _format(period.key.created_at),
        "signs_from": _format(period.signs_from),
        "signs_until": _format(period.signs_until),
        "published_until": _format(period.published_until),
    }


def _to_row(period: KeyPeriods) -> tuple[str, ...]:
    times = (period.signs_from, period.signs_until, period.published_until)
    return (
        period.key.key_id,
        period.key.algorithm,
        *(_format(time) or "-" for time in times),
    )


def _format(seconds: float) -> str | None:
    """Return a time; None for one that never comes."""
    return None if math.isinf(seconds) else format_time(seconds)
