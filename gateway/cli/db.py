"""`lockgate db`: the schema of the database that `database_url` names."""

import argparse
import json

from gateway.cli.database import open_database
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.settings.loader import load_settings
from gateway.storage.open_storage import UPGRADE_SECONDS
from gateway.storage.schema_version import SchemaState, SchemaVersion, read_schema_version
from gateway.storage.upgrade import upgrade_schema


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = "Upgrade the schema of the database, or show its version."
    parser = subcommands.add_parser(
        "db", help=purpose, description=purpose, epilog="example: lockgate db status"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    upgrade = add_subcommand(
        actions,
        "upgrade",
        run_upgrade,
        purpose="Bring the schema to that of this version of Lockgate; create it if there is none.",
        example="lockgate db upgrade --config config/lockgate.toml",
    )
    status = add_subcommand(
        actions,
        "status",
        run_status,
        purpose="Show the version of the schema. The exit status is 0 if it is current, else 1.",
        example="lockgate db status --config config/lockgate.toml --json",
    )
    for action in (upgrade, status):
        add_config_option(action)
        action.add_argument("--json", action="store_true", help="print the version as JSON")


def run_upgrade(options: argparse.Namespace) -> int:
    """Upgrade the database, and print what has been done."""
    with open_database(
        load_settings(options.config),
        timeout=UPGRADE_SECONDS,
        of_any_schema=True,
        creates_file=True,
    ) as database:
        found = database.write_now(upgrade_schema)
        version = database.read_now(read_schema_version)
    is_unchanged = found.state is SchemaState.CURRENT
    words = f"the schema is upgraded from {found.revision or 'nothing'} to {version.revision}"
    _print(version, str(version) if is_unchanged else words, as_json=options.json)
    return 0


def run_status(options: argparse.Namespace) -> int:
    """Print the version of the schema. Returns 1 if it is not the one that is needed."""
    with open_database(load_settings(options.config), of_any_schema=True) as database:
        version = database.read_now(read_schema_version)
    _print(version, str(version), as_json=options.json)
    return 0 if version.state is SchemaState.CURRENT else 1


def _print(version: SchemaVersion, words: str, *, as_json: bool) -> None:
    if not as_json:
        print(words)
        return
    members = {
        "state": version.state.value,
        "revision": version.revision,
        "newest": version.newest,
    }
    print(json.dumps(members))
