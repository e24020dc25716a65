"""`lockgate limits list`: all policies."""

import argparse
from collections.abc import Iterator

from gateway.cli.limits.change import describe_limit
from gateway.cli.limits.end_time import describe_end
from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.limit_document import format_value
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.redis_notice import warn_of_lost_redis
from gateway.cli.limits.terminal import format_rows, print_json, to_json
from gateway.cli.standard_streams import print_error
from gateway.cli.time_format import format_time
from gateway.ops.models import Limit
from gateway.settings.errors import escape

_HEAD = ("POLICY", "VERSION", "FROM", "LIMIT", "PER", "OVERRIDES")


def run(options: argparse.Namespace) -> int:
    """Print a row for each policy, and below, where a narrow terminal has room, the long texts."""
    with OpsClient(find_ops_address(options)) as client:
        found = client.list_limits()
        if not options.json:
            warn_of_lost_redis(client)
    if options.json:
        print_json(to_json(found))
        return ExitStatus.DONE
    print(format_rows(_HEAD, map(_to_row, found.limits)))
    if notes := [note for limit in found.limits for note in _iter_notes(limit)]:
        print("", *notes, sep="\n")
    for limit in found.limits:
        if limit.fault is not None:
            print_error(f"{limit.name}: its live document is not in force: {limit.fault}")
    return ExitStatus.DONE


def _to_row(limit: Limit) -> tuple[str, ...]:
    return (
        limit.name,
        str(limit.version),
        limit.source,
        describe_limit(limit),
        limit.in_force.per,
        str(len(limit.overrides)),
    )


def _iter_notes(limit: Limit) -> Iterator[str]:
    """Yield the tiers, the last change and the end of the live values."""
    if limit.in_force.tiers:
        yield escape(f"{limit.name}: tiers {format_value(limit.in_force.tiers)}")
    if limit.changed is not None:
        at = format_time(limit.changed.at.timestamp())
        yield escape(f"{limit.name}: changed {at} by {limit.changed.by}: {limit.changed.reason}")
    if until := (limit.live or {}).get("until"):
        yield f"{limit.name}: until {describe_end(until)}"
