"""Base64url the strict way: each byte string has exactly one text (RFC 7515, section 2)."""

import re
from base64 import urlsafe_b64decode

# Unused bits of the last character must be zero (RFC 4648, section 3.5); otherwise one token
# has many texts, and each of them is a new cache entry.
_CANONICAL = re.compile(
    "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?"
)


def decode(text: str) -> bytes:
    """The bytes of unpadded, canonical base64url.

    Raises:
        ValueError: padding, white space, another alphabet, or stray bits at the end.
    """
    if not _CANONICAL.fullmatch(text):
        raise ValueError("not canonical base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
