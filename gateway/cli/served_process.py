"""Finds the process that runs `lockgate serve` or `lockgate ops`, by the files of /proc."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

_PROCESSES = Path("/proc")
_PROGRAMS = {"lockgate", "gateway.cli"}
_SUBCOMMANDS = {"serve", "ops"}


class NotServing(Exception):
    """The process runs neither `lockgate serve` nor `lockgate ops`, and has started none."""


@dataclass(frozen=True, slots=True)
class ServedProcess:
    """A process that serves, with its subcommand and its options, and its folder in /proc."""

    folder: Path
    subcommand: str
    options: Sequence[str]

    def read_environment(self) -> list[str]:
        """Return its variables as `NAME=value`; none if they belong to another user."""
        try:
            return _read_list(self.folder / "environ")
        except OSError:
            return []


def read_served_process(pid: int) -> ServedProcess:
    """Return the process with this id, or the one it has started, that serves.

    Process 1 of a container may be a shell or an init: the options are those of the innermost
    process, whose command line has no variables of a shell.

    Raises:
        NotServing: names the program that the process runs.
    """
    try:
        program = (_PROCESSES / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        raise NotServing(f"there is no process {pid}") from None
    served = [process for process in map(_read_process, _iter_tree(pid)) if process]
    if not served:
        raise NotServing(
            f"process {pid} ({program}) does not run `lockgate serve` or `lockgate ops`"
        )
    return served[-1]


def _read_process(pid: int) -> ServedProcess | None:
    folder = _PROCESSES / str(pid)
    try:
        words = _read_list(folder / "cmdline")
    except OSError:  # it has just ended
        return None
    for position, word in enumerate(words[1:], start=1):
        if word in _SUBCOMMANDS and PurePath(words[position - 1]).name in _PROGRAMS:
            return ServedProcess(folder, word, words[position + 1 :])
    return None


def _iter_tree(pid: int) -> Iterator[int]:
    """Yield a process and those that it has started, directly or not; each after its parent."""
    yield pid
    parents = dict(_iter_parents())
    found = {pid}
    generation = {pid}
    while generation := {child for child, parent in parents.items() if parent in generation}:
        generation -= found
        found |= generation
        yield from sorted(generation)


def _iter_parents() -> Iterator[tuple[int, int]]:
    """Yield each process with its parent."""
    for folder in _PROCESSES.glob("[0-9]*"):
        try:
            # The name of the program is in parentheses, and may have some of its own.
            _, _, fields = (folder / "stat").read_text(errors="replace").rpartition(")")
        except OSError:
            continue
        yield int(folder.name), int(fields.split()[1])


def _read_list(file: Path) -> list[str]:
    return os.fsdecode(file.read_bytes()).split("\0")
