"""`lockgate limits rollback`: puts an earlier version of a policy in force."""

import argparse

from gateway.cli.limits.change import ProposedChange, make_change
from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.limit_document import Document
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import require_terminal
from gateway.cli.standard_streams import print_error
from gateway.ops.models import Limit
from gateway.ratelimit.bounds import MAX_ENTRIES

_MAX_PAGES = 100


def run(options: argparse.Namespace) -> int:
    """Roll a policy back to a version; by default the one before the present.

    The earlier document becomes a new version, so a second rollback undoes the first.
    """
    require_terminal(options)
    with OpsClient(find_ops_address(options)) as client:
        limit = client.get_limit(options.name)
        if limit.version == 0:
            print_error(f"{limit.name} has never been changed: there is no version before")
            return ExitStatus.FAILED
        version = limit.version - 1 if options.to is None else options.to
        document = _find_document(client, limit.name, version)
        if document is None:
            hint = f"`lockgate limits history {limit.name}` lists the versions"
            print_error(f"{limit.name} has no version {version}; {hint}")
            return ExitStatus.FAILED

        def send() -> Limit:
            return client.roll_back(limit.name, version, options.reason, version=limit.version)

        return make_change(options, client, ProposedChange(limit, document, send))


def _find_document(client: OpsClient, name: str, version: int) -> Document | None:
    """Return the live document of a version, which is empty for 0; None for an unknown one."""
    if version == 0:
        return {}
    before = None
    for _ in range(_MAX_PAGES):
        entries = client.read_history(name, limit=MAX_ENTRIES, before=before).entries
        for entry in entries:
            if entry.version == version:
                return entry.to or {}
        if len(entries) < MAX_ENTRIES:
            break
        before = entries[-1].seq
    return None
