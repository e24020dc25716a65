"""A typed client's request, written down as far as it is the same wherever it goes."""

from typing import NamedTuple


class Request(NamedTuple):
    """Method, target below the service's base path, header lines without Host, and the body."""

    method: str
    target: str
    lines: str
    body: bytes = b""

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header lines, each as name and value."""
        return [(name, value) for name, _, value in map(_parted, self.lines.splitlines())]


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(": ")
