"""Prints the names of the policies for a shell that completes; nothing if they cannot be read."""

import argparse
from contextlib import suppress

from gateway.cli.limits.limit_arguments import parse_policy
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.startup_error import StartupError

_SECONDS = 1.0
"""A TAB waits no longer."""


def run() -> int:
    """Print a name a line. A shell would read an error message as a word, so there is none."""
    options = argparse.Namespace(ops=None, token=None)
    with suppress(StartupError), OpsClient(find_ops_address(options), _SECONDS) as client:
        for limit in client.list_limits().limits:
            # A shell expands what it completes, so no other text of a server may get there.
            with suppress(argparse.ArgumentTypeError):
                print(parse_policy(limit.name))
    return 0
