"""Reads the public keys with which a client signs its assertions (RFC 7523): a JWK Set."""

from collections.abc import Mapping
from pathlib import Path

from gateway.auth.jwks.jwk import UnusableKey, parse_jwk
from gateway.auth.jwt import strict_json
from gateway.bounded_file import read_bounded_file
from gateway.settings.schema import ALGORITHMS

MAX_FILE_BYTES = 65_536
MAX_KEYS = 8


class InvalidPublicKeys(ValueError):
    """The file has no usable public keys; the message says why, without the path."""


def read_public_keys(path: Path) -> list[Mapping[str, str]]:
    """Read the keys of a file: public members and `kid`. Blocks.

    Raises:
        UnreadableFile: the file cannot be read.
        InvalidPublicKeys: it is neither a JWK nor a JWK Set of public keys for signatures.
    """
    return parse_public_keys(read_bounded_file(path, MAX_FILE_BYTES))


def parse_public_keys(document: bytes) -> list[Mapping[str, str]]:
    """Parse a JWK, or a JWK Set.

    Raises:
        InvalidPublicKeys: it is neither, or a key is not one for signatures, or is private.
    """
    try:
        parsed = strict_json.parse_object(document)
    except ValueError:
        # Without its cause, which holds the document: it may be a private key by mistake.
        raise InvalidPublicKeys("is neither a JWK nor a JWK Set, which are JSON") from None
    entries = parsed.get("keys", [parsed])
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_KEYS:
        raise InvalidPublicKeys(f"must have 1 to {MAX_KEYS} keys")
    keys = list[Mapping[str, str]]()
    for number, entry in enumerate(entries, 1):
        try:
            key = parse_jwk(entry, ALGORITHMS)
        except UnusableKey as error:
            raise InvalidPublicKeys(f"key {number}: {error}") from None
        named = {"kid": key.key_id} if key.key_id else {}
        keys.append({**key.public_members, **named})
    return keys
