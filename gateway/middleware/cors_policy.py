"""The origins that the settings allow, and the header fields of the responses to them."""

import re
from collections.abc import Iterable, Set

from gateway.http1_grammar import Fields
from gateway.settings.origins import ANY_ORIGIN, serialize_origin
from gateway.settings.schema import Server

_WILDCARDS = {
    "://*.": r"://(?:[a-z0-9_-]+\.)+",
    ":*": "(?::[0-9]{1,5})?",  # a browser leaves the default port out
}

# The request fields that the gateway itself reads, and those of conditional requests.
_REQUEST_HEADERS = (
    "authorization",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "traceparent",
    "tracestate",
    "x-request-id",
)

_RESPONSE_HEADERS = (
    "allow",
    "content-disposition",
    "etag",
    "link",
    "location",
    "lockgate-limits",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "server-timing",
    "www-authenticate",
    "x-request-id",
)

_VARY_ORIGIN = (b"vary", b"origin")
_PREFLIGHT_VARY = (
    b"vary",
    b"origin, access-control-request-method, access-control-request-private-network",
)


class CorsPolicy:
    """The allowed origins, and the fields of the responses to them.

    `request_headers` are the header fields that the routes read.
    """

    def __init__(self, settings: Server, request_headers: Iterable[str] = ()) -> None:
        self.allows_any = ANY_ORIGIN in settings.cors_origins
        self._exact = frozenset(text for text in settings.cors_origins if "*" not in text)
        self._wildcards = [
            _compile_wildcards(text) for text in settings.cors_origins if "*" in text
        ]
        self._credentials = (
            [(b"access-control-allow-credentials", b"true")] if settings.cors_credentials else []
        )
        self._exposed = (
            b"access-control-expose-headers",
            _join({*_RESPONSE_HEADERS, *settings.cors_response_headers}),
        )
        allowed_headers = {*_REQUEST_HEADERS, *request_headers, *settings.cors_request_headers}
        self._preflight_fields = [
            (b"access-control-allow-headers", _join(allowed_headers)),
            (b"access-control-max-age", b"%d" % settings.cors_max_age_seconds),
        ]
        self.constant_fields: Fields = (
            self.build_fields(b"*") if self.allows_any else [_VARY_ORIGIN]
        )
        """The fields of a response to any other request: a cache may hold it for an allowed one."""

    def allows(self, origin: bytes) -> bool:
        """Whether the pages of an origin, as `Origin` names it, may read responses."""
        if self.allows_any:
            return True
        text = serialize_origin(origin.decode("latin-1"))
        return text in self._exact or any(it.fullmatch(text) for it in self._wildcards)

    def build_fields(self, origin: bytes) -> Fields:
        """Build the fields of a response to an allowed origin, `Timing-Allow-Origin` included."""
        timing = (b"timing-allow-origin", b"*" if self.allows_any else origin)
        return [*self._build_allowance(origin), self._exposed, timing]

    def build_preflight_fields(
        self, origin: bytes, methods: Set[str], *, is_to_private_network: bool
    ) -> Fields:
        """Build the fields of the response to a preflight of an allowed origin."""
        fields = [
            *self._build_allowance(origin, _PREFLIGHT_VARY),
            (b"access-control-allow-methods", ", ".join(sorted(methods)).encode()),
            *self._preflight_fields,
        ]
        if is_to_private_network and not self.allows_any:
            fields.append((b"access-control-allow-private-network", b"true"))
        return fields

    def _build_allowance(
        self, origin: bytes, vary: tuple[bytes, bytes] = _VARY_ORIGIN
    ) -> list[tuple[bytes, bytes]]:
        if self.allows_any:
            return [(b"access-control-allow-origin", b"*")]
        return [(b"access-control-allow-origin", origin), *self._credentials, vary]


def _compile_wildcards(text: str) -> re.Pattern[str]:
    pattern = re.escape(text)
    for wildcard, meaning in _WILDCARDS.items():
        pattern = pattern.replace(re.escape(wildcard), meaning)
    return re.compile(pattern)


def _join(names: Set[str]) -> bytes:
    return ", ".join(sorted({name.lower() for name in names})).encode()
