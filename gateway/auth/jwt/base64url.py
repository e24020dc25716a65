"""Strict base64url: each byte string has exactly one text (RFC 7515, section 2)."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

# The unused bits of the last character must be zero (RFC 4648, section 3.5). Otherwise one token
# has many texts, and each of them would fill another entry of the token cache.
_CANONICAL = re.compile(
    "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?"
)


def decode(text: str) -> bytes:
    """Decode unpadded, canonical base64url.

    Raises:
        ValueError: the text has padding, white space, characters of another alphabet, or
            non-zero unused bits in its last character.
    """
    if not _CANONICAL.fullmatch(text):
        raise ValueError("not canonical base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(data: bytes) -> str:
    """Encode without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
