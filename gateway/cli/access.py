"""`lockgate access`: lists who may call what, by scope and by service, and on whose behalf."""

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.access.may_exchange import MayExchange
from gateway.cli.routes import access_to_json, format_access, load_routes
from gateway.cli.subcommand import Subcommands, add_listing
from gateway.cli.table import format_table
from gateway.explanation.access_list import AccessEntry, AccessList, list_access


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = (
        "List who may call what: the routes by scope, the public ones, and by service; and which "
        "client may call services on whose behalf."
    )
    add_listing(subcommands, "access", run, purpose=purpose)


def run(options: argparse.Namespace) -> int:
    """Print the lists as text or as JSON."""
    loaded = load_routes(options.config)
    access, rules = list_access(loaded.routes), loaded.application.access
    if options.json:
        print(json.dumps(_to_json(access, rules)))
    else:
        print("\n\n".join([*_iter_sections(access), *_iter_client_sections(rules)]))
    return 0


def _iter_sections(access: AccessList) -> Iterator[str]:
    for scopes, entries in _sort_scopes(access):
        named = f"scope {scopes[0]}" if len(scopes) == 1 else f"scopes {' and '.join(scopes)}"
        yield _format_section(f"A token with the {named} may call:", entries)
    if access.any_token:
        yield _format_section("Any valid token may call:", access.any_token)
    if access.public:
        yield _format_section("Without a token, all callers may call:", access.public)
    for service, entries in sorted(access.services.items()):
        yield _format_section(f"The service {service} is called by:", entries)


def _iter_client_sections(rules: Sequence[MayExchange]) -> Iterator[str]:
    """Yield a section for each client, with its rules in their order, which decides."""
    for client in sorted({rule.client for rule in rules}):
        rows = [
            (
                f"  {rule.service_text}",
                f"with {' '.join(rule.scopes)}",
                f"for {rule.subject_text}",
                f"who hold {' '.join(rule.requires)}" if rule.requires else "",
                rule.place,
            )
            for rule in rules
            if rule.client == client
        ]
        title = f"By token exchange, the client {client} may call:"
        yield f"{title}\n{format_table(rows)}"


def _sort_scopes(access: AccessList) -> list[tuple[list[str], Sequence[AccessEntry]]]:
    """Sort the sets of scopes, each with the routes that require all of them."""
    return sorted((sorted(scopes), entries) for scopes, entries in access.scopes.items())


def _format_section(title: str, entries: Sequence[AccessEntry]) -> str:
    rows = [
        (f"  {entry.methods}", entry.path, format_access(entry.access), *_format_services(entry))
        for entry in entries
    ]
    return f"{title}\n{format_table(rows)}"


def _format_services(entry: AccessEntry) -> tuple[str]:
    return (f"services: {', '.join(entry.services)}" if entry.services else "",)


def _to_json(access: AccessList, rules: Sequence[MayExchange]) -> dict[str, Any]:
    return {
        "scopes": [
            {"scopes": scopes, "routes": _list(entries)} for scopes, entries in _sort_scopes(access)
        ],
        "any_token": _list(access.any_token),
        "public": _list(access.public),
        "services": {name: _list(entries) for name, entries in sorted(access.services.items())},
        "exchanges": [
            {
                "client": rule.client,
                "services": list(rule.services),
                "scopes": list(rule.scopes),
                "on_behalf_of": list(rule.on_behalf_of),
                "requires": list(rule.requires),
                "file": rule.file,
                "line": rule.line,
            }
            for rule in rules
        ],
    }


def _list(entries: Sequence[AccessEntry]) -> list[dict[str, Any]]:
    return [
        {
            "method": entry.methods,
            "path": entry.path,
            **access_to_json(entry.access),
            "services": list(entry.services),
        }
        for entry in entries
    ]
