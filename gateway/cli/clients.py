"""`lockgate clients`: the OAuth clients, which get tokens from the gateway."""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.cli.arguments import parse_name, parse_number, parse_scope
from gateway.cli.author import add_author_options, get_author
from gateway.cli.database import open_database
from gateway.cli.standard_streams import print_error
from gateway.cli.subcommand import Subcommands, add_action
from gateway.cli.table import format_table
from gateway.cli.time_format import format_time
from gateway.oauth.client import ClientSecret, OAuthClient
from gateway.oauth.client_secret import generate_secret, hash_secret
from gateway.oauth.client_table import (
    ClientExists,
    OtherAuthentication,
    UnknownClient,
    add_client,
    get_client,
    list_clients,
    remove_client,
    replace_keys,
    rotate_secret,
)
from gateway.oauth.public_keys import read_public_keys
from gateway.revocation.named_tokens import compute_end
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings

_HEAD = ("ID", "SCOPES", "AUTHENTICATES WITH", "ADDED", "STATE")
_HOUR = 3_600


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = "Add, list, rotate and remove OAuth clients, which get tokens from the gateway."
    parser = subcommands.add_parser(
        "clients", help=purpose, description=purpose, epilog="example: lockgate clients list"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    _add_add(actions)
    add_action(
        actions,
        "list",
        run_list,
        "List all clients, with those that were removed.",
        "lockgate clients list --json",
    )
    _add_rotate(actions)
    remove = add_action(
        actions,
        "remove",
        run_remove,
        "Remove a client, and revoke its tokens. Its id is never given to another one.",
        "lockgate clients remove bff --reason 'replaced by web'",
    )
    remove.add_argument("id", metavar="ID", help="the id of the client")
    add_author_options(remove)


def run_add(options: argparse.Namespace) -> int:
    """Store a new client, and print its secret, if it has one."""
    now = time.time()
    secret = generate_secret() if options.public_key is None else None
    try:
        client = OAuthClient(
            id=options.id,
            scopes=tuple(dict.fromkeys(options.scope)),
            secrets=() if secret is None else (ClientSecret(hash_secret(secret), now),),
            public_keys=() if options.public_key is None else read_public_keys(options.public_key),
            created_at=now,
        )
    except ValueError as error:
        print_error(f"{options.public_key}: {error}")
        return 1
    settings = load_settings(options.config)
    issuer = _get_issuer(settings)
    with open_database(settings, creates_file=True) as database:
        try:
            database.write_now(partial(add_client, client=client, author=get_author(options)))
        except ClientExists:
            print_error(f"there is a client {options.id!r}, or there was; choose another id")
            return 1
    _print_client(client, secret, now, as_json=options.json)
    if secret is None and not options.json:
        print(f"The aud of its assertions must be {issuer}, and their exp at most 5 minutes ahead.")
    return 0


def run_list(options: argparse.Namespace) -> int:
    """Print all clients."""
    now = time.time()
    with open_database(load_settings(options.config)) as database:
        clients = database.read_now(list_clients)
    if options.json:
        print(json.dumps([_to_json(client, now) for client in clients]))
    else:
        print(format_table([_HEAD, *(_to_row(client, now) for client in clients)]))
    return 0


def run_rotate(options: argparse.Namespace) -> int:
    """Add a secret to a client, and print it; or replace its keys."""
    now = time.time()
    secret = generate_secret() if options.public_key is None else None
    try:
        keys = [] if options.public_key is None else read_public_keys(options.public_key)
    except ValueError as error:
        print_error(f"{options.public_key}: {error}")
        return 1
    with open_database(load_settings(options.config)) as database:
        try:
            former = database.read_now(partial(get_client, client_id=options.id))
            if secret is None:
                author = get_author(options)
                replace = partial(replace_keys, client_id=options.id, keys=keys, author=author)
                client = database.write_now(replace)
            else:
                client = database.write_now(_prepare_rotation(options, secret, former, now))
        except UnknownClient:
            return _refuse_unknown(options.id)
        except OtherAuthentication:
            has_keys = options.public_key is None
            words = "has keys: replace them with --public-key" if has_keys else "has no keys"
            print_error(f"the client {options.id} {words}")
            return 1
    _print_client(client, secret, now, as_json=options.json)
    return 0


def _prepare_rotation(
    options: argparse.Namespace, secret: str, former: OAuthClient, now: float
) -> Callable[[Connection], OAuthClient]:
    """Return the change of the database that adds a secret; it has the salt of the former one."""
    salt = former.secrets[-1].hash.salt if former.secrets else None
    return partial(
        rotate_secret,
        client_id=options.id,
        secret=ClientSecret(hash_secret(secret, salt), now),
        author=get_author(options),
        former_until=now + options.overlap_hours * _HOUR,
    )


def run_remove(options: argparse.Namespace) -> int:
    """Remove a client."""
    settings, now = load_settings(options.config), time.time()
    longest = compute_end(now, settings.tokens.max_lifetime_seconds)
    tokens = Revocation(RevocationKind.CLIENT, _get_issuer(settings), options.id, now, longest)
    with open_database(settings) as database:
        try:
            author = get_author(options)
            database.write_now(partial(remove_client, tokens=tokens, author=author, now=now))
        except UnknownClient:
            return _refuse_unknown(options.id)
    words = f"the client {options.id} is removed, and its tokens are revoked"
    print(json.dumps({"id": options.id, "state": "removed"}) if options.json else words)
    return 0


def _add_add(actions: Subcommands) -> None:
    add = add_action(
        actions,
        "add",
        run_add,
        "Add a client, and print its secret: it is shown this once.",
        "lockgate clients add bff --scope orders:read",
    )
    add.add_argument("id", type=parse_name, metavar="ID", help="its client_id")
    add.add_argument(
        "--scope",
        action="append",
        default=[],
        type=parse_scope,
        metavar="SCOPE",
        help="a scope that it can get for itself; repeat for several. A client that only exchanges"
        " tokens needs none",
    )
    add.add_argument(
        "--public-key",
        type=Path,
        metavar="FILE",
        help="a JWK or JWK Set: it signs assertions (private_key_jwt), and has no secret",
    )
    add_author_options(add)


def _add_rotate(actions: Subcommands) -> None:
    rotate = add_action(
        actions,
        "rotate",
        run_rotate,
        "Give a client another secret, and print it: it is shown this once. Or replace its keys.",
        "lockgate clients rotate bff --overlap-hours 2",
    )
    rotate.add_argument("id", metavar="ID", help="the id of the client")
    rotate.add_argument(
        "--overlap-hours",
        type=partial(parse_number, unit="hours", least=0, most=720),
        default=24,
        metavar="N",
        help="the former secret is valid for so many hours more (default: 24)",
    )
    rotate.add_argument(
        "--public-key",
        type=Path,
        metavar="FILE",
        help="for a client with keys: a JWK or JWK Set that replaces all of them",
    )
    add_author_options(rotate)


def _get_issuer(settings: Settings) -> str:
    issuer = settings.identity.issuer
    if issuer is None:
        raise InvalidSettings([ConfigError("identity.issuer", "must be set: it issues the tokens")])
    return issuer


def _refuse_unknown(client_id: str) -> int:
    print_error(f"there is no client {client_id!r}; `lockgate clients list` has the ids")
    return 1


def _print_client(client: OAuthClient, secret: str | None, now: float, *, as_json: bool) -> None:
    if as_json:
        shown = {} if secret is None else {"client_secret": secret}
        print(json.dumps({**_to_json(client, now), **shown}))
    elif secret is None:
        print(f"The client {client.id} authenticates with an assertion (private_key_jwt).")
    else:
        print(f"{secret}\nThis is the secret of {client.id}. It is shown only now.")


def _describe_authentication(client: OAuthClient, now: float) -> str:
    if client.public_keys:
        return "private_key_jwt"
    valid = [it for it in client.secrets if it.expires_at is None or it.expires_at > now]
    return "two secrets" if len(valid) > 1 else "secret"


def _to_row(client: OAuthClient, now: float) -> tuple[str, ...]:
    if client.is_removed:
        return (client.id, " ".join(client.scopes), "-", format_time(client.created_at), "removed")
    authentication = _describe_authentication(client, now)
    added = format_time(client.created_at)
    return (client.id, " ".join(client.scopes), authentication, added, "active")


def _to_json(client: OAuthClient, now: float) -> dict[str, object]:
    return {
        "id": client.id,
        "scopes": list(client.scopes),
        "authentication": None if client.is_removed else _describe_authentication(client, now),
        "created_at": format_time(client.created_at),
        "state": "removed" if client.is_removed else "active",
    }
