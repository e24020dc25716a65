"""Encrypts private keys for the database, under the keys of `identity.key_file`.

The file is a JWK Set (RFC 7517, section 5) of symmetric keys for A256GCM (RFC 7518, section 6.4).
The first one encrypts; the others decrypt what they have encrypted before.
"""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from json import JSONDecodeError
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import JsonValue

from gateway.auth.jwt import base64url, strict_json
from gateway.auth.jwt.jws import MAX_KEY_ID_LENGTH
from gateway.identity.key_document import read_key_document

MAX_KEYS = 16
KEY_BYTES = 32

_NONCE_BYTES = 12
_ID_BYTES = 8


class InvalidKeyFile(ValueError):
    """The file has no usable keys; the message says why, without the path and the keys."""


class UndecryptableKey(ValueError):
    """A private key in the database cannot be decrypted; the message says why."""


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A symmetric key; `repr` does not show it."""

    key_id: str
    secret: bytes = field(repr=False)


class KeyEncryption:
    """Encrypts with the first of the keys, and decrypts with that of the id."""

    def __init__(self, keys: Sequence[EncryptionKey]) -> None:
        self._keys = tuple(keys)
        self._ciphers = {key.key_id: AESGCM(key.secret) for key in keys}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self._ciphers)}>"

    @property
    def keys(self) -> tuple[EncryptionKey, ...]:
        """The keys, in the order of the file."""
        return self._keys

    @property
    def key_id(self) -> str:
        """The id of the key that encrypts."""
        return self._keys[0].key_id

    def encrypt(self, plaintext: bytes, name: str) -> bytes:
        """Encrypt what belongs to `name`: it cannot be decrypted as that of another name."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[self.key_id].encrypt(nonce, plaintext, name.encode())

    def decrypt(self, encrypted: bytes, name: str, key_id: str) -> bytes:
        """Decrypt what `encrypt` has returned for this name with the key of this id.

        Raises:
            UndecryptableKey: the file has no such key, or the key has not encrypted this.
        """
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UndecryptableKey(f"it was encrypted with {key_id}, which the key file lacks")
        nonce, ciphertext = encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, ciphertext, name.encode())
        except (InvalidTag, ValueError):
            raise UndecryptableKey(f"{key_id} has not encrypted it, or it was changed") from None


def generate_encryption_key() -> EncryptionKey:
    """Generate a key; its id says nothing about its secret."""
    return EncryptionKey(secrets.token_hex(_ID_BYTES), secrets.token_bytes(KEY_BYTES))


def serialize_keys(keys: Sequence[EncryptionKey]) -> bytes:
    """Return the content of the file with these keys."""
    entries = [
        {"kty": "oct", "alg": "A256GCM", "kid": key.key_id, "k": base64url.encode(key.secret)}
        for key in keys
    ]
    return f"{json.dumps({'keys': entries}, indent=2)}\n".encode()


def read_key_file(path: Path, *, of_any_owner: bool = False) -> KeyEncryption:
    """Read the keys of the file. Blocks.

    Raises:
        UnreadableFile: the file cannot be read, or other users can use it.
        InvalidKeyFile: it is not a JWK Set of such keys.
    """
    return parse_key_file(read_key_document(path, of_any_owner=of_any_owner))


def parse_key_file(content: bytes) -> KeyEncryption:
    """Parse the content of the file.

    Raises:
        InvalidKeyFile: it is not a JWK Set of such keys.
    """
    try:
        entries = strict_json.parse_object(content).get("keys")
    except (JSONDecodeError, UnicodeDecodeError, ValueError):
        # Without its cause, which holds the content.
        raise InvalidKeyFile("is not a JWK Set, which is JSON") from None
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_KEYS:
        raise InvalidKeyFile(f"must be a JWK Set of 1 to {MAX_KEYS} keys")
    keys = [_parse_key(entry, number) for number, entry in enumerate(entries, 1)]
    if len({key.key_id for key in keys}) < len(keys):
        raise InvalidKeyFile("has two keys of one kid")
    return KeyEncryption(keys)


def _parse_key(entry: JsonValue, number: int) -> EncryptionKey:
    if not isinstance(entry, dict) or entry.get("kty") != "oct":
        raise InvalidKeyFile(f"key {number}: kty must be oct")
    if entry.get("alg", "A256GCM") != "A256GCM":
        raise InvalidKeyFile(f"key {number}: alg must be A256GCM")
    key_id, text = entry.get("kid"), entry.get("k")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID_LENGTH:
        raise InvalidKeyFile(f"key {number}: kid must be 1 to {MAX_KEY_ID_LENGTH} characters")
    try:
        secret = base64url.decode(text) if isinstance(text, str) else b""
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise InvalidKeyFile(f"key {number}: k must be {KEY_BYTES} bytes in base64url")
    return EncryptionKey(key_id, secret)
