"""Signature verification with prepared keys: RS*, PS*, ES* and EdDSA.

This is the only module of `gateway.auth` that imports python-jose, and it uses three names that
python-jose does not document as its interface:

- `jose.backends.base.Key`: the base class of a key, `Key(key, algorithm)` and `verify(msg, sig)`
- `jose.jwk.register_key`: adds a key class for an algorithm; here for PS256 to PS512 and Ed25519
- `jose.jwk.construct`: makes the key of a JWK for one algorithm

`tests/gateway/auth/jwt/test_signatures.py` has a test for each name, which says what breaks when
python-jose changes it. python-jose's own parsing of tokens (`jose.jwt`, `jose.jws`) is never used.
"""

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jose import jwk
from jose.backends.base import Key

from gateway.auth.jwt import base64url

__all__ = ["Ed25519Key", "Key", "RsaPssKey", "construct_key", "is_valid_signature"]

_PSS_HASHES = {"PS256": hashes.SHA256(), "PS384": hashes.SHA384(), "PS512": hashes.SHA512()}


class RsaPssKey(Key):
    """RSASSA-PSS with a salt as long as the hash (RFC 7518, section 3.5)."""

    def __init__(self, key: Mapping[str, str], algorithm: str) -> None:
        modulus, exponent = (int.from_bytes(base64url.decode(key[name])) for name in ("n", "e"))
        self._key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        self._hash = _PSS_HASHES[algorithm]
        self._padding = padding.PSS(padding.MGF1(self._hash), self._hash.digest_size)

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether `sig` is this key's signature of `msg`."""
        try:
            self._key.verify(sig, msg, self._padding, self._hash)
        except InvalidSignature:
            return False
        return True


class Ed25519Key(Key):
    """EdDSA on Ed25519 (RFC 8037, section 3.1)."""

    def __init__(self, key: Mapping[str, str], algorithm: str) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(base64url.decode(key["x"]))

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether `sig` is this key's signature of `msg`."""
        try:
            self._key.verify(sig, msg)
        except InvalidSignature:
            return False
        return True


for _algorithm in _PSS_HASHES:
    jwk.register_key(_algorithm, RsaPssKey)
for _algorithm in ("EdDSA", "Ed25519"):
    jwk.register_key(_algorithm, Ed25519Key)


def construct_key(public_jwk: Mapping[str, Any], algorithm: str) -> Key:
    """Construct a key that verifies one algorithm. Costly: done once per key, not per token.

    Raises:
        ValueError: the members of the JWK make no valid key for the algorithm.
    """
    try:
        return jwk.construct(dict(public_jwk), algorithm)
    except Exception as exc:  # python-jose lets the errors of its back end through
        raise ValueError("not a usable key") from exc


def is_valid_signature(key: Key, signing_input: bytes, signature: bytes) -> bool:
    """Verify the signature. An error inside the engine counts as an invalid signature."""
    try:
        return key.verify(signing_input, signature)
    except Exception:  # noqa: BLE001 - fail closed: an error has verified nothing
        return False
