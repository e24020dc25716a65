"""Keeps responses for one caller out of shared caches (RFC 9111, 3.5 and 5.2.2)."""

import re
from functools import lru_cache

_MAX_CACHED = 256
_MAX_CACHED_BYTES = 128

_DIRECTIVE = re.compile(rb"(?:[^,\"]|\"(?:[^\"\\]|\\.)*\"|\")+")
_PRIVATE = frozenset({b"private", b"no-store"})
_FOR_SHARED_CACHES = frozenset({b"public", b"s-maxage", b"private", b"proxy-revalidate"})


def restrict_to_caller(value: bytes) -> bytes:
    """Add `private` to a `Cache-Control` that would let a shared cache store the response.

    The service does not know that the gateway asks for a scope: its `public` would let a cache in
    front of the gateway serve the response to those without one.
    """
    if len(value) <= _MAX_CACHED_BYTES:
        return _restrict_cached(value)
    return _restrict(value)


def _restrict(value: bytes) -> bytes:
    directives = [directive.strip() for directive in _DIRECTIVE.findall(value)]
    if any(directive.lower() in _PRIVATE for directive in directives):
        return value
    kept = [it for it in directives if it.partition(b"=")[0].lower() not in _FOR_SHARED_CACHES]
    return b", ".join([b"private", *kept])


_restrict_cached = lru_cache(maxsize=_MAX_CACHED)(_restrict)
