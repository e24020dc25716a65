"""The target URI of a request, as a DPoP proof names it (`htu`; RFC 9449, section 4.3).

Two URIs are compared after the normalization of RFC 3986, sections 6.2.2 and 6.2.3. The origin is
that of `identity.issuer`: `Host` and the fields of a proxy are the word of a client.
"""

import re

from pydantic import HttpUrl
from starlette.types import Scope

from gateway.request_context import PUBLIC_PATH

_URI = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[0-9a-z._~!$&'()*+,;=-]+)(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>/[^?#]*)?(?:[?#].*)?",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_NOT_IN_URIS = re.compile(rb"[^!-~]")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def normalize_uri(text: str) -> str:
    """Normalize a URI of HTTP, without its query and fragment. The port is always written.

    Raises:
        ValueError: it is not the absolute URI of a resource, or has a user.
    """
    matched = _URI.fullmatch(text)
    if matched is None or not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("it is not an absolute URI of HTTP in ASCII, without a user")
    scheme = matched["scheme"].lower()
    port = (matched["port"] or "").lstrip("0") or _DEFAULT_PORTS[scheme]
    return f"{scheme}://{matched['host'].lower()}:{port}{_normalize_path(matched['path'] or '/')}"


def read_origin(issuer: str) -> str:
    """Return scheme, host and port of the issuer of the gateway."""
    url = HttpUrl(issuer)
    return f"{url.scheme}://{url.host}:{url.port}"


def build_target_uri(origin: str, scope: Scope) -> str:
    """Build the normalized URI that the client of a request has called, without its query.

    `server.root_path` is part of the path. Forward-auth sets `PUBLIC_PATH` to the path of the
    original request.
    """
    path: bytes = scope.get(PUBLIC_PATH) or scope.get("raw_path") or scope["path"].encode()
    escaped = _NOT_IN_URIS.sub(lambda byte: b"%%%02X" % ord(byte[0]), path)
    return normalize_uri(origin + escaped.decode("ascii"))


def _normalize_path(path: str) -> str:
    if "%" in path:
        path = _ESCAPE.sub(_normalize_escape, path)
    return _remove_dot_segments(path) if "/." in path else path


def _normalize_escape(escape: re.Match[str]) -> str:
    """Decode an escape of a character that needs none; write any other in upper case."""
    if escape[1] is None:
        raise ValueError("it has a % that is not followed by two hexadecimal digits")
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _remove_dot_segments(path: str) -> str:
    """Remove `.` and `..` (RFC 3986, section 5.2.4)."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
