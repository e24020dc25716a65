"""A typed client's request, written down as far as it is the same wherever it goes."""

from typing import NamedTuple

_MEANS_A_BODY = frozenset({"POST", "PUT", "PATCH"})


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

    @property
    def length(self) -> str:
        """The line that says how long the body is, where one is due (RFC 9110, 8.6)."""
        if self.body or self.method in _MEANS_A_BODY:
            return f"Content-Length: {len(self.body)}\r\n"
        return ""


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(": ")
