"""`lockgate limits list`: all policies."""

import argparse

from gateway.cli.limits.change import describe_limit
from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import format_rows, print_json, to_json
from gateway.cli.standard_streams import print_error
from gateway.cli.time_format import format_time
from gateway.ops.models import Limit

_HEAD = ("POLICY", "VERSION", "FROM", "LIMIT", "PER", "OVERRIDES", "UNTIL", "CHANGED", "BY")


def run(options: argparse.Namespace) -> int:
    """Print a row for each policy."""
    with OpsClient(find_ops_address(options)) as client:
        found = client.list_limits()
    if options.json:
        print_json(to_json(found))
        return ExitStatus.DONE
    print(format_rows(_HEAD, map(_to_row, found.limits)))
    for limit in found.limits:
        if limit.fault is not None:
            print_error(f"{limit.name}: its live document is not in force: {limit.fault}")
    return ExitStatus.DONE


def _to_row(limit: Limit) -> tuple[str, ...]:
    changed = limit.changed
    return (
        limit.name,
        str(limit.version),
        limit.source,
        describe_limit(limit),
        limit.in_force.per,
        str(len(limit.overrides)),
        str((limit.live or {}).get("until") or "-"),
        "-" if changed is None else format_time(changed.at.timestamp()),
        "-" if changed is None else changed.by,
    )
