"""Rewrites references of a service to itself, such as `Location`, into paths of the gateway.

The service does not know by which path its callers reach it. A reference that leads elsewhere, or
to a path that the route does not map, goes back as it is.

Browsers remove tabs and line breaks from a reference, and read a backslash as a slash (WHATWG URL),
so that `/<tab>/evil.example` names a host. A field with such a reference to the service is removed.
All other characters that RFC 3986 does not allow are escaped: a reference that is rewritten means
the same to every program.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from starlette.types import Scope

from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.path.path_mapping import PathMapping
from gateway.settings.schema import Service
from gateway.upstream.base_url import BaseUrl

Field = tuple[bytes, bytes]

MAX_REFERENCES = 100
"""The references of one response that are rewritten; a `Link` with further ones is removed.

The prefix that each one gets can be as long as the path of the request.
"""

_DEFAULT_PORTS = {b"http": 80, b"https": 443}

_URL = re.compile(rb"(?:(https?):)?//([^/?#\\]*)(.*)", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(rb"([^:@\[\]]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_SLASHES = re.compile(rb"^/+")
_IGNORED_BEFORE = bytes(range(0x21))  # WHATWG URL, 4.4: a browser strips them
_AMBIGUOUS = re.compile(rb"[\x00-\x1f\x7f\\]")
_NOT_ALLOWED = re.compile(rb"[^A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]")  # RFC 3986, section 2

_WHOLE = re.compile(rb"()(.*)", re.DOTALL)
_IN_REFRESH = re.compile(rb"(^[^;,]*[;,][ \t]*(?:url[ \t]*=[ \t]*)?['\"]?)([^'\"]*)", re.IGNORECASE)
_IN_LINK = re.compile(rb"(<)([^>]*)")
_PLACES: Mapping[bytes, re.Pattern[bytes]] = {
    b"location": _WHOLE,
    b"content-location": _WHOLE,
    b"refresh": _IN_REFRESH,
    b"link": _IN_LINK,
}
"""Where the references are in a field: the second group."""


class References:
    """Rewrites the references in the fields of one route's responses."""

    def __init__(self, proxy: Proxy, service: Service) -> None:
        self._mapping = PathMapping(proxy, service)
        self._preserve_host = proxy.preserve_host
        base = BaseUrl.of(str(service.url))
        self._scheme = base.origin.scheme.encode()
        self._own = base.host.lower().encode()

    def rewrite(self, fields: Sequence[Field], scope: Scope) -> Iterator[Field]:
        """Rewrite each reference in the fields of one response; yield those that may go back."""
        gateway_prefix, service_prefix = self._mapping.fill_prefixes(scope)

        def replace(match: re.Match[bytes]) -> bytes:
            before, reference = match.groups()
            path = self._find_path(reference.lstrip(_IGNORED_BEFORE), scope)
            if not path.startswith(b"/"):
                return match[0]
            if _AMBIGUOUS.search(path):
                raise _AmbiguousReference
            if not path.startswith(service_prefix):
                return match[0]
            mapped = gateway_prefix + path[len(service_prefix) :]
            # Two slashes would make a host of what follows.
            return before + _NOT_ALLOWED.sub(_escape, _SLASHES.sub(b"/", mapped))

        left = MAX_REFERENCES
        for name, value in fields:
            left -= value.count(b"<") if name == b"link" else 1
            if left < 0:
                continue
            try:
                yield name, _PLACES[name].sub(replace, value)
            except _AmbiguousReference:
                continue

    def _find_path(self, reference: bytes, scope: Scope) -> bytes:
        """Return the path and what follows of a reference to the service; b"" for any other."""
        url = _URL.fullmatch(reference)
        if url is None:
            return reference if reference.startswith(b"/") else b""
        scheme, authority, rest = url.groups()
        if not self._is_own(scheme, authority.lower(), scope):
            return b""
        return rest if rest.startswith(b"/") else b"/" + rest

    def _is_own(self, scheme: bytes | None, authority: bytes, scope: Scope) -> bool:
        """Whether a URL is that of the service, or that by which the caller knows it.

        The service knows the latter if the route preserves the host, but it may not know whether
        the caller uses TLS.
        """
        scheme = (scheme or self._scheme).lower()
        if scheme == self._scheme and _split(authority, scheme) == _split(self._own, scheme):
            return True
        if not self._preserve_host:
            return False
        hosts = [value.lower() for name, value in scope["headers"] if name == b"host"]
        return authority in hosts and authority != b""


class _AmbiguousReference(Exception):
    """A reference to the service that may name a host to some programs."""


def _escape(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match[0][0]


def _split(authority: bytes, scheme: bytes) -> tuple[bytes, int] | None:
    """Split an authority into host and port; None if it has another form."""
    match = _AUTHORITY.fullmatch(authority)
    return (match[1], int(match[2] or _DEFAULT_PORTS[scheme])) if match else None
