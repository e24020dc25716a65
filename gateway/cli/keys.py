"""`lockgate keys`: static API keys, for machines that can get no token."""

import argparse
import json
import time
from functools import partial

from sqlalchemy import Connection

from gateway.api_keys.api_key import MAX_CLAIMS, ApiKey, generate_id, generate_text, hash_text
from gateway.api_keys.key_table import UnknownKey, add_key, list_keys, revoke_key
from gateway.cli.arguments import parse_claim, parse_name, parse_number, parse_scope
from gateway.cli.author import add_author_options, get_author
from gateway.cli.database import open_database
from gateway.cli.standard_streams import print_error
from gateway.cli.subcommand import Subcommands, add_action
from gateway.cli.table import format_table
from gateway.cli.time_format import format_time
from gateway.settings.loader import load_settings
from gateway.storage.locks import lock_journal

_HEAD = ("ID", "NAME", "SCOPES", "CLAIMS", "EXPIRES", "LAST USED", "STATE")
_DAY = 86_400


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = "Add, list and revoke API keys, for machines that can get no token."
    parser = subcommands.add_parser(
        "keys", help=purpose, description=purpose, epilog="example: lockgate keys list"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add = add_action(
        actions,
        "add",
        run_add,
        "Add a key, and print it: it is shown this once.",
        "lockgate keys add nightly-export --scope orders:read --days 90",
    )
    _add_key_options(add)
    add_action(
        actions,
        "list",
        run_list,
        "List all keys, with the revoked and the expired ones.",
        "lockgate keys list --json",
    )
    revoke = add_action(
        actions,
        "revoke",
        run_revoke,
        "Revoke a key: every gateway refuses it within a second.",
        "lockgate keys revoke 4f1d2c9b8a70 --reason 'found in a repository'",
    )
    revoke.add_argument("id", metavar="ID", help="its id, which `lockgate keys list` prints")
    add_author_options(revoke)


def run_add(options: argparse.Namespace) -> int:
    """Store a new key, and print it. Returns 2 if a claim is given twice, or there are too many."""
    names = [name for name, _ in options.claim]
    if len(names) > MAX_CLAIMS or len(set(names)) < len(names):
        print_error(f"--claim: got {', '.join(names)}; each claim once, at most {MAX_CLAIMS}")
        return 2
    text = generate_text()
    with open_database(load_settings(options.config), creates_file=True) as database:
        key = database.write_now(partial(_add_key, options=options, text=text))
    if options.json:
        print(json.dumps({**_to_json(key, key.created_at), "key": text}))
    else:
        print(f"{text}\nThis is the key {key.id} of {key.name}. It is shown only now.")
    return 0


def _add_key(connection: Connection, options: argparse.Namespace, text: str) -> ApiKey:
    # With the lock, the time is after that of each revocation which is stored before the key.
    lock_journal(connection)
    now = time.time()
    key = ApiKey(
        id=generate_id(),
        name=options.name,
        digest=hash_text(text),
        scopes=tuple(dict.fromkeys(options.scope)),
        created_at=now,
        expires_at=now + options.days * _DAY,
        claims=dict(options.claim),
    )
    add_key(connection, key, get_author(options))
    return key


def run_list(options: argparse.Namespace) -> int:
    """Print all keys."""
    now = time.time()
    with open_database(load_settings(options.config)) as database:
        keys = database.read_now(list_keys)
    if options.json:
        print(json.dumps([_to_json(key, now) for key in keys]))
    else:
        print(format_table([_HEAD, *(_to_row(key, now) for key in keys)]))
    return 0


def run_revoke(options: argparse.Namespace) -> int:
    """Revoke a key. Returns 1 if there is none with this id."""
    now = time.time()
    with open_database(load_settings(options.config)) as database:
        try:
            key = database.write_now(
                partial(revoke_key, key_id=options.id, author=get_author(options), now=now)
            )
        except UnknownKey:
            print_error(f"there is no key {options.id!r}; `lockgate keys list` has the ids")
            return 1
    state = _find_state(key, now)
    words = "is revoked" if state == "active" else f"was {state} already"
    print(json.dumps({"id": key.id, "was": state}) if options.json else f"the key {key.id} {words}")
    return 0


def _add_key_options(add: argparse.ArgumentParser) -> None:
    add.add_argument("name", type=parse_name, metavar="NAME", help="the service that holds it")
    add.add_argument(
        "--scope",
        action="append",
        required=True,
        type=parse_scope,
        metavar="SCOPE",
        help="a scope that the key has; repeat for several",
    )
    add.add_argument(
        "--days",
        type=partial(parse_number, unit="days", least=1, most=3_650),
        default=90,
        metavar="N",
        help="after so many days the key expires (default: 90)",
    )
    add.add_argument(
        "--claim",
        action="append",
        default=[],
        type=parse_claim,
        metavar="NAME=VALUE",
        help="a claim for limits, which may choose a tier by it: plan=pro; repeat for several",
    )
    add_author_options(add)


def _find_state(key: ApiKey, now: float) -> str:
    if key.is_revoked:
        return "revoked"
    return "expired" if key.expires_at <= now else "active"


def _to_row(key: ApiKey, now: float) -> tuple[str, ...]:
    last_used = "-" if key.last_used_at is None else format_time(key.last_used_at)
    scopes = " ".join(key.scopes)
    claims = " ".join(f"{name}={value}" for name, value in key.claims.items()) or "-"
    expires, state = format_time(key.expires_at), _find_state(key, now)
    return (key.id, key.name, scopes, claims, expires, last_used, state)


def _to_json(key: ApiKey, now: float) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": list(key.scopes),
        "claims": dict(key.claims),
        "created_at": format_time(key.created_at),
        "expires_at": format_time(key.expires_at),
        "last_used_at": None if key.last_used_at is None else format_time(key.last_used_at),
        "state": _find_state(key, now),
    }
