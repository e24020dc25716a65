"""`lockgate limits top`: the callers with the most requests under a policy."""

import argparse

from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import format_rows, print_json, to_json
from gateway.cli.standard_streams import print_error
from gateway.settings.errors import escape

_HEAD = ("KEY", "CALLER", "ALLOWED", "REFUSED")


def run(options: argparse.Namespace) -> int:
    """Print the keys, and the sums over all callers."""
    with OpsClient(find_ops_address(options)) as client:
        usage = client.read_usage(options.name, options.seconds)
    if options.json:
        print_json(to_json(usage))
        return ExitStatus.DONE
    if usage.fault is not None:
        print_error(escape(f"nothing is known of the traffic: {usage.fault}"))
        return ExitStatus.FAILED
    rows = [(it.key, it.caller or "-", str(it.allowed), str(it.refused)) for it in usage.top_keys]
    print(format_rows(_HEAD, rows))
    allowed, refused, shadow = map(sum, (usage.allowed, usage.refused, usage.shadow_refused))
    without = f"; {shadow:,} more would be refused without shadow" if shadow else ""
    print(f"In all, in {options.seconds} s: {allowed:,} allowed, {refused:,} refused{without}.")
    return ExitStatus.DONE
