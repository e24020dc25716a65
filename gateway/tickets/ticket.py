"""`Ticket`: the caller and the path that a ticket stands for, and the text that names it."""

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

from gateway.auth.principal import Principal

LIFETIME_SECONDS = 30

_RANDOM_BYTES = 32
_TEXT = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes in base64url


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the holder of a ticket may do: act for `principal` at `path`.

    `path` is the path of a route as `decode_path` decodes it, without `server.root_path`.
    """

    path: str
    principal: Principal


def generate_text() -> str:
    """Generate the text of a ticket: 256 random bits."""
    return secrets.token_urlsafe(_RANDOM_BYTES)


def is_text(text: str) -> bool:
    """Whether this can be the text of a ticket."""
    return _TEXT.fullmatch(text) is not None


def hash_text(text: str) -> str:
    """Return the SHA-256 of a text: the name under which a ticket is stored.

    A reader of the store cannot redeem what is in it. The text is random, so it needs no salt.
    """
    return sha256(text.encode()).hexdigest()
