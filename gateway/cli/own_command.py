"""How a shell runs this command again from the working directory, also without an active venv."""

import shlex
import shutil
import sys
from pathlib import Path


def format_own_command() -> str:
    """Return the words for a shell: `lockgate`, `.venv/bin/lockgate`, `python -m gateway.cli`."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        return f"{_format_program(Path(sys.executable))} -m gateway.cli"
    return _format_program(program)


def _format_program(program: Path) -> str:
    """Return the name alone if PATH leads to the program, otherwise its path."""
    # Without following links: the Python of a venv is a link to one without the packages.
    path, found = program.absolute(), shutil.which(program.name)
    if found and Path(found).absolute() == path:
        return shlex.quote(program.name)
    folder = Path.cwd()
    if not path.is_relative_to(folder):
        return shlex.quote(str(path))
    relative = path.relative_to(folder)
    return shlex.quote(str(relative) if relative.parent.name else f"./{relative}")
