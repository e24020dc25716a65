"""`lockgate journal`: every change of the database, and whether the journal is whole."""

import argparse
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import Connection

from gateway.cli.database import open_database
from gateway.cli.limit_entry_text import describe_entry
from gateway.cli.standard_streams import print_error
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.cli.table import format_table
from gateway.cli.time_format import format_time
from gateway.settings.errors import escape
from gateway.settings.loader import load_settings
from gateway.storage.database import Database
from gateway.storage.journal import Entry, JournalHead, read_entries
from gateway.storage.timestamps import to_seconds
from gateway.storage.verify_journal import JournalDamaged, verify_journal

_VERIFY_SECONDS = 600.0
_ENTRIES_AT_ONCE = 500
_HEAD = ("SEQ", "TIME", "ACTOR", "ACTION", "SUBJECT", "CHANGE", "REASON")


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = "List the changes of the database, or verify that none was altered."
    parser = subcommands.add_parser(
        "journal", help=purpose, description=purpose, epilog="example: lockgate journal list"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listed = add_subcommand(
        actions,
        "list",
        run_list,
        purpose="List the changes: who changed what, when and why.",
        example="lockgate journal list --after 120 --json",
    )
    listed.add_argument(
        "--after", type=int, default=0, metavar="SEQ", help="list only the entries after this one"
    )
    verify = add_subcommand(
        actions,
        "verify",
        run_verify,
        purpose="Verify the chain of hashes. The exit status is 1 if an entry was altered.",
        example="lockgate journal verify --head 118:5c1f...",
    )
    verify.add_argument(
        "--head",
        metavar="SEQ:HASH",
        help="the last entry as an earlier run printed it, which must still be there",
    )
    for action in (listed, verify):
        add_config_option(action)
        action.add_argument("--json", action="store_true", help="print JSON")


def run_list(options: argparse.Namespace) -> int:
    """Print the entries, as a table or as one JSON object a line."""
    with open_database(load_settings(options.config)) as database:
        entries = _iter_entries(database, options.after)
        if options.json:
            for entry in entries:
                print(json.dumps(_to_json(entry)))
        else:
            print(format_table([_HEAD, *map(_to_row, entries)]))
    return 0


def run_verify(options: argparse.Namespace) -> int:
    """Verify the journal, and print its last entry. Returns 1 if it is damaged."""
    try:
        earlier = None if options.head is None else _parse_head(options.head)
    except ValueError:
        print_error("--head must be SEQ:HASH, as an earlier run printed it")
        return 2
    with open_database(load_settings(options.config), timeout=_VERIFY_SECONDS) as database:
        try:
            head = database.read_now(lambda connection: _verify(connection, earlier))
        except JournalDamaged as damage:
            print_error(f"the journal is damaged: {damage}")
            return 1
    text = f"{head.seq}:{head.hash.hex()}"
    whole = {"entries": head.seq, "head": text}
    print(
        json.dumps(whole) if options.json else f"{head.seq} entries are whole; the head is {text}"
    )
    return 0


def _verify(connection: Connection, earlier: JournalHead | None) -> JournalHead:
    """Verify all entries, and that an earlier head is one of them."""
    head = verify_journal(connection)
    if earlier is not None and earlier.seq > 0:
        found = read_entries(connection, after=earlier.seq - 1, limit=1)
        if not found or found[0].hash != earlier.hash:
            raise JournalDamaged(earlier.seq, "is not the one of --head")
    return head


def _parse_head(text: str) -> JournalHead:
    seq, _, digest = text.partition(":")
    return JournalHead(int(seq), bytes.fromhex(digest))


def _iter_entries(database: Database, after: int) -> Iterator[Entry]:
    while True:
        entries = database.read_now(partial(read_entries, after=after, limit=_ENTRIES_AT_ONCE))
        yield from entries
        if not entries:
            return
        after = entries[-1].seq


def _to_row(entry: Entry) -> tuple[str, ...]:
    change = entry.change
    time = format_time(to_seconds(entry.at))
    described = escape(describe_entry(change))
    row = (str(entry.seq), time, change.actor, change.action, change.subject, described)
    return (*row, change.reason)


def _to_json(entry: Entry) -> dict[str, Any]:
    change = entry.change
    return {
        "seq": entry.seq,
        "at": format_time(to_seconds(entry.at)),
        "actor": change.actor,
        "action": change.action,
        "subject": change.subject,
        "reason": change.reason,
        "details": dict(change.details),
        "hash": entry.hash.hex(),
    }
