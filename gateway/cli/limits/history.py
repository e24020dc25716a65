"""`lockgate limits history`: the changes of a policy."""

import argparse

from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.limit_document import describe_document
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import format_rows, print_json, to_json
from gateway.cli.time_format import format_time
from gateway.ops.models import HistoryItem

_HEAD = ("SEQ", "VERSION", "TIME", "BY", "ACTION", "REASON", "LIVE VALUES")


def run(options: argparse.Namespace) -> int:
    """Print the changes, the newest first."""
    with OpsClient(find_ops_address(options)) as client:
        found = client.read_history(options.name, limit=options.limit, before=options.before)
    if options.json:
        print_json(to_json(found))
    else:
        print(format_rows(_HEAD, map(_to_row, found.entries)))
    return ExitStatus.DONE


def _to_row(entry: HistoryItem) -> tuple[str, ...]:
    return (
        str(entry.seq),
        "-" if entry.version is None else str(entry.version),
        format_time(entry.at.timestamp()),
        entry.by,
        entry.action,
        entry.reason,
        _describe_result(entry),
    )


def _describe_result(entry: HistoryItem) -> str:
    if entry.key is not None:
        return f"the counts of {entry.key}"
    return describe_document(entry.to or {}) or "-"
