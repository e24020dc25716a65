"""Every command of the pages about live limits is run against an ops app."""

import shlex
from collections.abc import Iterator

import pytest

from gateway.cli.main import main
from tests.docs.blocks import matches, parse_blocks
from tests.docs.project import ROOT

PAGES = ROOT / "docs" / "how-to"


def iter_commands(script: str) -> Iterator[list[str]]:
    """Yield the arguments of each `lockgate` in a script, which has nothing else but `export`."""
    for line in script.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        if program != "export":
            assert program == "lockgate", line
            yield arguments
