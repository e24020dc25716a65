"""What the head of a request asks for: target, Host (RFC 9112, 3.2), another protocol."""

import re
from collections.abc import Iterable

_ABSOLUTE = re.compile(rb"https?://([^/?@]+)(/[^?]*)?(?:\?(.*))?", re.IGNORECASE)
_HOST = re.compile(rb"(?:[-\w.~!$&'()*+,;=%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


class MalformedRequest(Exception):
    """A request that is to be refused, though its characters are well chosen."""


def split_target(raw: bytes, method: bytes) -> tuple[bytes, bytes, bytes]:
    """Path, query, and the authority of an absolute-form; one that is missing is empty.

    Raises:
        Malformed: a form that `method` does not have here.
    """
    if b"#" in raw:
        raise MalformedRequest
    if raw.startswith(b"/"):
        path, _, query = raw.partition(b"?")
        return path, query, b""
    if raw == b"*" and method == b"OPTIONS":
        return raw, b"", b""
    parts = _ABSOLUTE.fullmatch(raw)
    if parts is None:
        raise MalformedRequest
    check_host(parts[1])
    return parts[2] or b"/", parts[3] or b"", parts[1]


def check_host(value: bytes) -> None:
    """Make sure that it may stand in Host.

    Raises:
        Malformed: it is no host with an optional port.
    """
    if not _HOST.fullmatch(value):
        raise MalformedRequest


def plain_head(line: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Write a head down without the wish for another protocol, which is ignored (RFC 9110, 7.8)."""
    lines = [b"%b: %b" % field for field in fields if field[0] != b"upgrade"]
    return b"\r\n".join([line, *lines, b"", b""])
