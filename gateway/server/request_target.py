"""Checks the request target and Host of a request (RFC 9112, 3.2), and drops its `Upgrade`."""

import re

from gateway.http1_grammar import Fields

_ABSOLUTE_FORM = re.compile(rb"https?://([^/?@]+)(/[^?]*)?(?:\?(.*))?", re.IGNORECASE)
_HOST = re.compile(rb"(?:[-\w.~!$&'()*+,;=%]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")


class MalformedRequest(Exception):
    """A request that httptools accepts, and the gateway refuses; the message is for the client."""


def split_target(target: bytes, method: bytes) -> tuple[bytes, bytes, bytes]:
    """Split a request target into path, query and the authority of an absolute form.

    A part that is absent is empty.

    Raises:
        MalformedRequest: the target has none of the forms that are allowed for `method`.
    """
    if b"#" in target:
        raise MalformedRequest("The request target has a fragment (#).")
    if target.startswith(b"/"):
        path, _, query = target.partition(b"?")
        return path, query, b""
    if target == b"*" and method == b"OPTIONS":
        return target, b"", b""
    parts = _ABSOLUTE_FORM.fullmatch(target)
    if parts is None:
        raise MalformedRequest("The request target is neither a path nor an http(s) URL.")
    check_host(parts[1])
    return parts[2] or b"/", parts[3] or b"", parts[1]


def check_host(value: bytes) -> None:
    """Check the value of a Host field, or the authority of an absolute form.

    Raises:
        MalformedRequest: it is not a host with an optional port.
    """
    if not _HOST.fullmatch(value):
        raise MalformedRequest("The host is not a name or an address with an optional port.")


def serialize_without_upgrade(request_line: bytes, fields: Fields) -> bytes:
    """Serialize the head of a request without `Upgrade`; a server may ignore it (RFC 9110, 7.8)."""
    lines = [b"%b: %b" % field for field in fields if field[0] != b"upgrade"]
    return b"\r\n".join([request_line, *lines, b"", b""])
