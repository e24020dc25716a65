"""`lockgate limits history`: the changes of a policy."""

import argparse
from collections.abc import Iterator

from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.limit_document import describe_document
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import print_json, to_json
from gateway.cli.time_format import format_time
from gateway.ops.models import HistoryItem
from gateway.settings.errors import escape

_NOTHING = "no live values"


def run(options: argparse.Namespace) -> int:
    """Print the changes, the newest first."""
    with OpsClient(find_ops_address(options)) as client:
        found = client.read_history(options.name, limit=options.limit, before=options.before)
    if options.json:
        print_json(to_json(found))
    else:
        for entry in found.entries:
            print(*_iter_lines(entry), sep="\n")
        if not found.entries:
            print(f"{options.name} has no such changes")
    return ExitStatus.DONE


def _iter_lines(entry: HistoryItem) -> Iterator[str]:
    """Yield who has changed a policy, when and why; and from what to what."""
    version = "" if entry.version is None else f", version {entry.version}"
    at = format_time(entry.at.timestamp())
    yield escape(f"{entry.seq}{version}: {at} {entry.action} by {entry.by}: {entry.reason}")
    if entry.key is not None:
        yield escape(f"    the counts of {entry.caller or entry.key}")
    else:
        yield escape(f"    from  {describe_document(entry.from_ or {}) or _NOTHING}")
        yield escape(f"    to    {describe_document(entry.to or {}) or _NOTHING}")
