"""Signatures checked by python-jose, taught PS256 to PS512 and Ed25519 as well.

Of python-jose only the prepared keys are used; its parsing of tokens is not.
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

_PSS_HASHES = {"PS256": hashes.SHA256(), "PS384": hashes.SHA384(), "PS512": hashes.SHA512()}


class RsaPssKey(Key):
    """RSASSA-PSS with a salt as long as the hash (RFC 7518, section 3.5)."""

    def __init__(self, key: Mapping[str, str], algorithm: str) -> None:
        modulus, exponent = (int.from_bytes(base64url.decode(key[name])) for name in ("n", "e"))
        self._key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        self._hash = _PSS_HASHES[algorithm]
        self._padding = padding.PSS(padding.MGF1(self._hash), self._hash.digest_size)

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Whether this key made the signature."""
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
        """Whether this key made the signature."""
        try:
            self._key.verify(sig, msg)
        except InvalidSignature:
            return False
        return True


for _algorithm in _PSS_HASHES:
    jwk.register_key(_algorithm, RsaPssKey)
for _algorithm in ("EdDSA", "Ed25519"):
    jwk.register_key(_algorithm, Ed25519Key)


def prepare(public_jwk: Mapping[str, Any], algorithm: str) -> Key:
    """A key ready to verify one algorithm; to be done once per key, it is dear.

    Raises:
        ValueError: the members make no key.
    """
    try:
        return jwk.construct(dict(public_jwk), algorithm)
    except Exception as exc:  # the engine raises whatever its back end happens to
        raise ValueError("not a usable key") from exc


def verifies(key: Key, signing_input: bytes, signature: bytes) -> bool:
    """Whether the key made the signature; whatever goes wrong inside means no."""
    try:
        return key.verify(signing_input, signature)
    except Exception:  # noqa: BLE001 - an engine that stumbles has not verified anything
        return False
