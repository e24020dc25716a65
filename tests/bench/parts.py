"""`lockgate serve` with composites of 1, 2, 4 ... parts beside its own, for section curves.

`python -m tests.bench.parts`; the composites are written anew, each into a file of its own.
"""

import sys
from pathlib import Path

from gateway import composites
from gateway.cli.main import main
from tests.bench.place import built

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


@router.get("/parts/{count}", dependencies=[public("measured by itself")])
async def get_parts(view: Composed[Parts]) -> Parts:
    return view
'''


def path(count: int) -> str:
    """Where the composite of so many parts is."""
    return f"/parts/{count}"


def write_composites(folder: Path) -> None:
    """One file for each count."""
    folder.mkdir(parents=True, exist_ok=True)
    for count in COUNTS:
        fields = (f"    part{number}: Annotated[User, Part(fetch)]" for number in range(count))
        text = _COMPOSITE.format(count=count, parts="\n".join(fields))
        (folder / f"parts{count}.py").write_text(text)


if __name__ == "__main__":
    write_composites(built("composites"))
    composites.__path__.append(str(built("composites")))
    sys.exit(main(["serve"]))
