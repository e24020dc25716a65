"""The target URI of a request, as a DPoP proof names it (`htu`; RFC 9449, section 4.3).

Two URIs are compared after the normalization of RFC 3986, sections 6.2.2 and 6.2.3. The URL of
the gateway is a setting: `Host` and the fields of a proxy are the word of a client.
"""

import re
from typing import NamedTuple, Self

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


class PublicUrl(NamedTuple):
    """The URL of the gateway: scheme, host and port, and the path before those of the routes."""

    origin: str
    path: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse the URL, which `find_public_url` returns."""
        parsed = HttpUrl(url)
        path = (parsed.path or "").rstrip("/")
        return cls(f"{parsed.scheme}://{parsed.host}:{parsed.port}", path)

    def build_target_uri(self, scope: Scope) -> str:
        """Build the normalized URI that the client of a request has called, without its query.

        Forward-auth sets `PUBLIC_PATH` to the whole path that another gateway has received.
        """
        path: bytes | None = scope.get(PUBLIC_PATH)
        if path is None:
            path = scope.get("raw_path") or scope["path"].encode()
            below = path.removeprefix(scope.get("root_path", "").encode())
            path = self.path.encode() + below
        escaped = _NOT_IN_URIS.sub(lambda byte: b"%%%02X" % ord(byte[0]), path)
        return normalize_uri(self.origin + escaped.decode("ascii"))


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
