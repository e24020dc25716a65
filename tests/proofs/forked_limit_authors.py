"""Gateways that change their own limits until they are killed; a program for `open_gateways`.

For each change that has returned, the log has the line `changed VERSION QUOTA`.
"""

import asyncio
import sys
from itertools import count

from gateway.cli.check import CheckedGateway
from gateway.errors.tree import DatabaseUnavailable
from gateway.ratelimit.live.change_errors import VersionConflict
from gateway.ratelimit.live.live_limits import LiveLimits
from tests.proofs.forked_gateways import fork_each
from tests.proofs.limit_author import LimitAuthor

PROGRAM = "tests.proofs.forked_limit_authors"
_LARGE = 1_000_000


async def _change_limits(gateway: CheckedGateway) -> None:
    """Change and roll back in turn, as fast as the database allows."""
    assert gateway.app is not None
    author = LimitAuthor(gateway.app.state.resources[LiveLimits])
    for number in count():
        version = author.version
        try:
            if number % 3 == 2:
                changed = await author.roll_back(max(0, version - 1))
            else:
                changed = await author.change(f"{_LARGE + version + 1}/minute")
        except (DatabaseUnavailable, VersionConflict):
            await asyncio.sleep(0.02)
            continue
        print(f"changed {changed} {author.quota}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    fork_each(_change_limits)
