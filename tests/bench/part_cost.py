"""Serves composites of 1, 2, 4 ... parts for section curves: `python -m tests.bench.part_cost`.

It writes each composite to its own file and runs `lockgate serve`.
"""

import sys
from pathlib import Path

from gateway import composites
from gateway.cli.main import main
from tests.bench.paths import make_cache_path

COUNTS = (1, 2, 4, 8, 16)

_COMPOSITE = '''"""GET /parts/{count}: one user, {count} times."""

from typing import Annotated

from fastapi import APIRouter

from gateway.upstream.pending import PendingCall
from clients.users import User, Users
from gateway.auth.dependencies import public
from gateway.aggregation import Composed, Composite, Part
from gateway.resources import Upstream

router = APIRouter()


def fetch(users: Upstream[Users]) -> PendingCall[User]:
    return users.get(42)


class Parts(Composite, budget=30):
{parts}


@router.get("/parts/{count}", dependencies=[public("benchmark of parts")])
async def get_parts(view: Composed[Parts]) -> Parts:
    return view
'''


def get_path(count: int) -> str:
    """Return the path of the composite with `count` parts."""
    return f"/parts/{count}"


def write_composites(folder: Path) -> None:
    """Write one composite for each count."""
    folder.mkdir(parents=True, exist_ok=True)
    for count in COUNTS:
        fields = (f"    part{number}: Annotated[User, Part(fetch)]" for number in range(count))
        text = _COMPOSITE.format(count=count, parts="\n".join(fields))
        (folder / f"parts{count}.py").write_text(text)


if __name__ == "__main__":
    write_composites(make_cache_path("composites"))
    composites.__path__.append(str(make_cache_path("composites")))
    sys.exit(main(["serve"]))
