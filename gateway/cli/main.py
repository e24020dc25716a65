"""The command line: verbs, exit statuses, mistakes said on standard error."""

import argparse
import sys
from collections.abc import Sequence

from gateway.cli import check, demo, serve, token
from gateway.demo.serve_demo import PortUnavailable
from gateway.server.lifecycle import AddressUnavailable
from gateway.settings.errors import InvalidSettings

VERBS = (serve, demo, check, token)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the exit status is 0, 1 for a failure, 2 for settings or usage."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except InvalidSettings as error:
        for found in error.errors:
            print(f"lockgate: {found}", file=sys.stderr)
        return 2
    except (AddressUnavailable, PortUnavailable) as error:
        print(f"lockgate: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before there was anything to stop
        return 130
    return status


def parser() -> argparse.ArgumentParser:
    """The command line, verb by verb."""
    top = argparse.ArgumentParser(
        prog="lockgate",
        description="An async API gateway and backend-for-frontend aggregator.",
        epilog="example: lockgate demo",
    )
    verbs = top.add_subparsers(required=True, metavar="VERB")
    for verb in VERBS:
        verb.add_to(verbs)
    return top
