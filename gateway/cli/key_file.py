"""`lockgate key-file`: the keys that encrypt private keys in the database. It prints no key."""

import argparse
import json
from functools import partial
from pathlib import Path

from gateway.cli.author import add_author_options, get_author
from gateway.cli.database import open_database
from gateway.cli.subcommand import Subcommands, add_action
from gateway.identity.encryption_rotation import (
    RotatedKeyFile,
    create_key_file,
    rotate_encryption_key,
)
from gateway.settings.errors import ConfigError, InvalidSettings, get_variable
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings
from gateway.startup_error import StartupError

_SETTING = "identity.key_file"


class KeyFileFailed(StartupError):
    """The file cannot be created or rotated; the message says why, without a key."""


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = "Create or rotate the file whose keys encrypt private keys in the database."
    example = "lockgate key-file create --file /etc/lockgate/keys.jwks"
    parser = subcommands.add_parser(
        "key-file", help=purpose, description=purpose, epilog=f"example: {example}"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    create = add_action(
        actions,
        "create",
        run_create,
        "Create the file with one key and the mode 0600. A file that exists is kept.",
        example,
    )
    create.add_argument("--file", type=Path, metavar="FILE", help=f"the file (default: {_SETTING})")
    rotate = add_action(
        actions,
        "rotate",
        run_rotate,
        "Add a key to the file, and encrypt with it again what is in the database.",
        "lockgate key-file rotate --reason 'yearly'",
    )
    add_author_options(rotate)


def run_create(options: argparse.Namespace) -> int:
    """Create the file, and say so."""
    file: Path = options.file or _get_file(load_settings(options.config))
    try:
        key_id = create_key_file(file)
    except FileExistsError as error:
        message = f"{file}: exists and is kept; `lockgate key-file rotate` adds a key to it"
        raise KeyFileFailed(message) from error
    except OSError as error:
        raise KeyFileFailed(f"{file}: cannot be written: {error.strerror}") from error
    if options.json:
        print(json.dumps({"file": str(file), "key": key_id}))
    else:
        print(f"{file} has the new key {key_id}. Back it up apart from the database.")
    return 0


def run_rotate(options: argparse.Namespace) -> int:
    """Rotate the key of the file, and say what has been done."""
    settings = load_settings(options.config)
    file = _get_file(settings)
    with open_database(settings) as database:
        try:
            rotated = database.write_now(
                partial(rotate_encryption_key, path=file, author=get_author(options))
            )
        except ValueError as error:
            raise KeyFileFailed(f"{file}: {error}") from error
    print(_to_json(file, rotated) if options.json else _describe(file, rotated))
    return 0


def _get_file(settings: Settings) -> Path:
    """Return the file of the settings.

    Raises:
        InvalidSettings: they name none.
    """
    file = settings.identity.key_file
    if file is None:
        hint = f"set {get_variable(_SETTING)}"
        raise InvalidSettings([ConfigError(_SETTING, "is required to know the file", hint)])
    return file


def _to_json(file: Path, rotated: RotatedKeyFile) -> str:
    members = {
        "file": str(file),
        "key": rotated.key_id,
        "signing_keys": rotated.signing_keys,
        "kept": rotated.kept,
        "removed": rotated.removed,
    }
    return json.dumps(members)


def _describe(file: Path, rotated: RotatedKeyFile) -> str:
    """Say which key encrypts now, and what becomes of the others."""
    count = len(rotated.signing_keys)
    encrypted = "1 signing key is" if count == 1 else f"{count} signing keys are"
    lines = [
        f"{file} has the new key {rotated.key_id}, which encrypts from now on.",
        f"In the database, {encrypted} encrypted with it.",
        f"For backups, the file still has {', '.join(rotated.kept)}.",
    ]
    if rotated.removed:
        lines.append(f"It no longer has {', '.join(rotated.removed)}.")
    return "\n".join(lines)
