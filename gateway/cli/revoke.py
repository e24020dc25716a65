"""`lockgate revoke`: takes tokens back before they expire."""

import argparse
import json
import sys
import time
from functools import partial

from gateway.api_keys.api_key import ISSUER as KEY_ISSUER
from gateway.api_keys.key_table import revoke_with_keys
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.cli.author import add_author_options, get_author
from gateway.cli.database import open_database
from gateway.cli.standard_streams import print_error
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.cli.time_format import format_time
from gateway.revocation.named_tokens import MAX_TOKEN_BYTES, UnnamedToken, compute_end, name_token
from gateway.revocation.revoke import InvalidRevocation
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings

_PURPOSES = {
    "token": "Revoke one token: that on standard input, or the one of --id.",
    "subject": "Revoke all tokens of a user or a service that were issued until now.",
    "client": "Revoke all tokens of an OAuth client, and those of which it is an actor.",
    "all": "Revoke every token that was issued until now, of one issuer or of all.",
}
_EXAMPLES = {
    "token": "lockgate revoke token --reason 'leaked in a log' < token.txt",
    "subject": "lockgate revoke subject 42 --issuer https://login.example.com",
    "client": "lockgate revoke client mobile-app --issuer https://login.example.com",
    "all": "lockgate revoke all --issuer https://login.example.com",
}
_KINDS = {"subject": RevocationKind.SUBJECT, "client": RevocationKind.CLIENT}


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = "Revoke tokens: every gateway on the database refuses them within a second."
    parser = subcommands.add_parser(
        "revoke", help=purpose, description=purpose, epilog=f"example: {_EXAMPLES['subject']}"
    )
    whats = parser.add_subparsers(required=True, metavar="WHAT", dest="what")
    for what, text in _PURPOSES.items():
        one = add_subcommand(whats, what, run, purpose=text, example=_EXAMPLES[what])
        if what in _KINDS:
            one.add_argument("value", metavar="NAME", help=f"the {what}, as the tokens name it")
        if what == "token":
            one.add_argument("--id", metavar="JTI", help="the id of the token, its claim jti")
        one.add_argument(
            "--issuer",
            metavar="URL",
            help="the issuer of the tokens (default: the only one of the settings)",
        )
        add_author_options(one)
        add_config_option(one)
        one.add_argument("--json", action="store_true", help="print the revocation as JSON")


def run(options: argparse.Namespace) -> int:
    """Store a revocation, and print it. Returns 1 if nothing is revoked."""
    settings = load_settings(options.config)
    now = time.time()
    try:
        revocation = _build(options, settings, now)
        with open_database(settings, creates_file=True) as database:
            author = get_author(options)
            revocation, seq = database.write_now(
                partial(revoke_with_keys, revocation=revocation, author=author)
            )
    except (InvalidRevocation, UnnamedToken) as error:
        print_error(f"nothing is revoked: {error}")
        return 1
    print(_to_json(revocation, seq) if options.json else _describe(revocation, seq))
    return 0


def _build(options: argparse.Namespace, settings: Settings, now: float) -> Revocation:
    """Build the revocation that the options name.

    Raises:
        UnnamedToken: the token has no id, is none, or says that it has expired.
        InvalidRevocation: the issuer is not known.
    """
    longest = compute_end(now, settings.tokens.max_lifetime_seconds)
    if options.what == "token" and options.id is None:
        return name_token(_read_token(), now, longest)
    if options.what == "all":
        issuer = "" if options.issuer is None else _find_issuer(options, settings)
        return Revocation(RevocationKind.ISSUER, issuer, "", now, longest)
    issuer = _find_issuer(options, settings)
    if options.what == "token":
        return Revocation(RevocationKind.TOKEN, issuer, options.id, 0.0, longest)
    return Revocation(_KINDS[options.what], issuer, options.value, now, longest)


def _find_issuer(options: argparse.Namespace, settings: Settings) -> str:
    """Return the issuer of the tokens: the one that is named, else the only provider.

    Raises:
        InvalidRevocation: no token of the named issuer is accepted, or none is named of several.
    """
    named: str | None = options.issuer
    if named == KEY_ISSUER and options.what != "client":  # no client gets a key
        return named
    providers = [name for issuer in settings.issuers for name in list_issuer_names(issuer)]
    own = [] if settings.identity.issuer is None else [settings.identity.issuer]
    known = [*providers, *own]
    if not known:
        raise InvalidRevocation("the settings have no issuers, so no token is accepted")
    is_ambiguous = named is None and len(providers or own) > 1
    if is_ambiguous or (named is not None and named not in known):
        raise InvalidRevocation(f"--issuer must name one of {', '.join(known)}")
    return named or known[0]


def _read_token() -> str:
    """Read a token from standard input, with or without `Bearer`."""
    if sys.stdin.isatty():
        raise UnnamedToken("no token is read from a terminal; pipe one, or name its --id")
    data = sys.stdin.buffer.read(MAX_TOKEN_BYTES + 1)
    return data.decode("utf-8", "replace").strip().removeprefix("Bearer ").strip()


def _describe(revocation: Revocation, seq: int) -> str:
    until = format_time(revocation.expires_at)
    return f"revoked: {_name(revocation)}; kept until {until}; journal entry {seq}"


def _name(revocation: Revocation) -> str:
    issuer = f"of {revocation.issuer}" if revocation.issuer else "of all issuers"
    match revocation.kind:
        case RevocationKind.TOKEN:
            return f"the token {revocation.value} {issuer}"
        case RevocationKind.ISSUER:
            named = "every token"
        case _:
            named = f"the tokens of the {revocation.kind.value} {revocation.value}"
    return f"{named} {issuer} issued before {format_time(revocation.issued_before)}"


def _to_json(revocation: Revocation, seq: int) -> str:
    is_timed = revocation.kind is not RevocationKind.TOKEN
    members = {
        "kind": revocation.kind.value,
        "issuer": revocation.issuer or None,
        "value": revocation.value or None,
        "issued_before": format_time(revocation.issued_before) if is_timed else None,
        "kept_until": format_time(revocation.expires_at),
        "journal_entry": seq,
    }
    return json.dumps(members)
