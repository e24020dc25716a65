"""`lockgate limits shadow`: lets a policy count only, or refuse requests."""

import argparse

from gateway.cli.limits.change import change_limit
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import require_terminal
from gateway.cli.time_format import format_time


def run(options: argparse.Namespace) -> int:
    """Set the shadow mode of a policy; without `--until`, the end of the live values stays."""
    require_terminal(options)
    with OpsClient(find_ops_address(options)) as client:
        limit = client.get_limit(options.name)
        patch: dict[str, object] = {"shadow": options.state == "on"}
        if options.until is not None:
            patch["until"] = format_time(options.until.timestamp())
        return change_limit(options, client, limit, patch)
