"""`lockgate limits shadow`: lets a policy count only, or refuse requests."""

import argparse

from gateway.cli.limits.change import change_limit
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import require_terminal
from gateway.cli.time_format import format_time


def run(options: argparse.Namespace) -> int:
    """Set the shadow mode of a policy; without `--until` it has no end."""
    require_terminal(options)
    with OpsClient(find_ops_address(options)) as client:
        limit = client.get_limit(options.name)
        until = None if options.until is None else format_time(options.until.timestamp())
        patch = {"shadow": options.state == "on", "until": until}
        return change_limit(options, client, limit, patch)
