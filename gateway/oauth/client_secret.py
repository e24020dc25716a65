"""The secret of a client: its text and its slow hash; `secret_verifier.py` compares them.

The text has 256 random bits, so a fast hash would be safe; the slow one meets the rules of audits
for stored secrets. It takes about 50 ms of a core and 16 MB.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass

PREFIX = "lgs_"

_RANDOM_BYTES = 32
_SALT_BYTES = 16
_HASH_BYTES = 32
_COST, _BLOCK_SIZE, _PARALLELISM = 2**14, 8, 1  # as RFC 7914 recommends for interactive use
_MAX_MEMORY = 2 * 128 * _COST * _BLOCK_SIZE


@dataclass(frozen=True, slots=True)
class SecretHash:
    """A stored secret: `scrypt$N$r$p$salt$hash`, salt and hash in hexadecimal."""

    cost: int
    block_size: int
    parallelism: int
    salt: bytes
    hash: bytes

    def __str__(self) -> str:
        """Format as it is stored."""
        numbers = f"{self.cost}${self.block_size}${self.parallelism}"
        return f"scrypt${numbers}${self.salt.hex()}${self.hash.hex()}"

    @property
    def parameters(self) -> tuple[bytes, int, int, int]:
        """The salt and the cost: hashes with the same ones are compared by one computation."""
        return self.salt, self.cost, self.block_size, self.parallelism

    def compute(self, secret: str) -> bytes:
        """Hash a secret as this one was. Blocks for about 50 ms."""
        return _compute(secret, *self.parameters)

    def is_equal(self, computed: bytes) -> bool:
        """Whether `compute` has returned this hash."""
        return hmac.compare_digest(computed, self.hash)


def generate_secret() -> str:
    """Generate the text of a secret: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def hash_secret(secret: str, salt: bytes | None = None) -> SecretHash:
    """Hash a secret with a new salt, or with that of the client. Blocks for about 50 ms.

    The secrets of one client share a salt, so that one computation compares them all: the time
    would tell of which client there are two.
    """
    salt = salt or os.urandom(_SALT_BYTES)
    computed = _compute(secret, salt, _COST, _BLOCK_SIZE, _PARALLELISM)
    return SecretHash(_COST, _BLOCK_SIZE, _PARALLELISM, salt, computed)


def parse_hash(text: str) -> SecretHash:
    """Parse what `str` of a hash returns.

    Raises:
        ValueError: it is another text.
    """
    kind, *numbers, salt, digest = text.split("$")
    if kind != "scrypt" or len(numbers) != 3:
        raise ValueError("is not a hash by scrypt")
    cost, block_size, parallelism = map(int, numbers)
    return SecretHash(cost, block_size, parallelism, bytes.fromhex(salt), bytes.fromhex(digest))


def _compute(secret: str, salt: bytes, cost: int, block_size: int, parallelism: int) -> bytes:
    return hashlib.scrypt(
        secret.encode(),
        salt=salt,
        n=cost,
        r=block_size,
        p=parallelism,
        maxmem=_MAX_MEMORY,
        dklen=_HASH_BYTES,
    )
