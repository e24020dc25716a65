"""Keeps responses for one caller out of shared caches (RFC 9111, 3.5 and 5.2.2)."""

import re
from functools import lru_cache

MAX_BYTES = 512
"""A longer value becomes `no-store`: to parse one can take time quadratic in its length."""

_MAX_CACHED = 256

_DIRECTIVE = re.compile(rb"(?:[^,\"]|\"(?:[^\"\\]|\\.)*\"|\")+")
_PRIVATE = frozenset({b"private", b"no-store"})
_FOR_SHARED_CACHES = frozenset({b"public", b"s-maxage", b"private", b"proxy-revalidate"})


def restrict_to_caller(value: bytes) -> bytes:
    """Add `private` to a `Cache-Control` that would let a shared cache store the response.

    The service does not know that the gateway asks for a scope: its `public` would let a cache in
    front of the gateway serve the response to those without one.
    """
    return _restrict(value) if len(value) <= MAX_BYTES else b"no-store"


@lru_cache(maxsize=_MAX_CACHED)
def _restrict(value: bytes) -> bytes:
    directives = [it for it in map(bytes.strip, _DIRECTIVE.findall(value)) if it]
    if any(directive.lower() in _PRIVATE for directive in directives):
        return value
    kept = [it for it in directives if it.partition(b"=")[0].lower() not in _FOR_SHARED_CACHES]
    return b", ".join([b"private", *kept])
