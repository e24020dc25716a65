"""`ApiKey`, and the text of a key, which is known to its holder alone."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

PREFIX = "lk_"

ISSUER = "urn:lockgate:keys"
"""The issuer of the principal of a key: a key and a token of one name are two callers."""

MAX_CLAIMS = 16

RESERVED_CLAIMS = frozenset(
    ("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "client_id", "act", "cnf")
)
"""The claims that a key cannot be given, because its own fields stand for them."""

_RANDOM_BYTES = 32
_ID_BYTES = 6


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is stored. Times are in seconds since the epoch.

    `name` is the service that holds the key; several keys may have one name, as during a change of
    keys. `digest` is the SHA-256 of the text. `last_used_at` is known to the minute. `claims` stand
    for those of a token: limits count by them, and choose tiers by them.
    """

    id: str
    name: str
    digest: bytes
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float
    last_used_at: float | None = None
    is_revoked: bool = False
    claims: Mapping[str, str] = field(default_factory=dict, hash=False)


def generate_text() -> str:
    """Generate the text of a key: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def generate_id() -> str:
    """Generate the id of a key, which says nothing about its text."""
    return secrets.token_hex(_ID_BYTES)


def hash_text(text: str) -> bytes:
    """Return the SHA-256 of a text. It is random, so it needs neither salt nor a slow hash."""
    return sha256(text.encode("ascii")).digest()
