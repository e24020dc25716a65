"""`lockgate limits reset`: forgets what a caller has used under a policy."""

import argparse

from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import (
    choose_stream,
    confirm,
    explain_interrupt,
    print_declined,
    print_json,
    require_terminal,
    to_json,
)
from gateway.settings.errors import escape


def run(options: argparse.Namespace) -> int:
    """Reset the counts of a caller, in Redis and in all processes."""
    require_terminal(options)
    with OpsClient(find_ops_address(options)) as client:
        before = client.look_up(options.name, options.key, options.issuer)
        print(
            escape(f"{before.key} under {options.name}: {before.why}"), file=choose_stream(options)
        )
        if not confirm(options, f"Reset what it has used under {options.name}?"):
            return print_declined()
        with explain_interrupt("the counts may be reset: see `lockgate limits history`"):
            client.reset(options.name, options.key, options.issuer, options.reason)
    if options.json:
        print_json({"policy": options.name, "before": to_json(before)})
    else:
        print(escape(f"{options.key} has an unused quota under {options.name}"))
    return ExitStatus.DONE
