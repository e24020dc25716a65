"""Signing keys and tokens for tests, made with `cryptography` alone and none of the tested code."""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gateway.settings.schema import ALGORITHMS

ISSUER = "https://id.example.test"
AUDIENCE = "gateway"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey

_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES = {
    "ES256": ("P-256", ec.SECP256R1()),
    "ES384": ("P-384", ec.SECP384R1()),
    "ES512": ("P-521", ec.SECP521R1()),
}


@dataclass(frozen=True)
class SigningKey:
    """A private key with its key id and algorithm."""

    kid: str
    alg: str
    private: PrivateKey

    def sign(self, data: bytes) -> bytes:
        """Sign `data` in the format of JWS."""
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(data)
        digest = _HASHES[self.alg[2:]]
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            size = (self.private.key_size + 7) // 8
            numbers = decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
            return b"".join(number.to_bytes(size) for number in numbers)
        if self.alg.startswith("PS"):
            pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return self.private.sign(data, pss, digest)
        return self.private.sign(data, padding.PKCS1v15(), digest)

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """Return the public key as a JWK. A change to None removes a member."""
        members = {"kid": self.kid, "alg": self.alg, "use": "sig", **_public_members(self.private)}
        return {name: value for name, value in {**members, **changes}.items() if value is not None}


def _public_members(key: PrivateKey) -> dict[str, str]:
    if isinstance(key, Ed25519PrivateKey):
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": encode_base64url(key.public_key().public_bytes_raw()),
        }
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "n": encode_base64url(_encode_integer(public.n)),
            "e": encode_base64url(_encode_integer(public.e)),
        }
    point, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
    crv = next(name for name, curve in _CURVES.values() if curve.name == key.curve.name)
    return {
        "kty": "EC",
        "crv": crv,
        "x": encode_base64url(point.x.to_bytes(size)),
        "y": encode_base64url(point.y.to_bytes(size)),
    }


def _encode_integer(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


@cache
def get_private_key(alg: str, name: str = "ours", bits: int = 2048) -> PrivateKey:
    """Return one private key per algorithm and name. RSA keys are slow to generate, so cached."""
    if alg == "EdDSA":
        return Ed25519PrivateKey.generate()
    if alg.startswith("ES"):
        return ec.generate_private_key(_CURVES[alg][1])
    return _get_rsa_key(name, bits)


@cache
def _get_rsa_key(name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, bits)


def get_signing_key(alg: str, kid: str = "", name: str = "ours") -> SigningKey:
    """Return the key for that algorithm; its key id is the algorithm in lower case by default."""
    return SigningKey(kid or alg.lower(), alg, get_private_key(alg, name))


def get_signing_keys() -> dict[str, SigningKey]:
    """Return one key for every supported algorithm."""
    return {alg: get_signing_key(alg) for alg in ALGORITHMS}


def encode_jwk_set(*jwks: Mapping[str, Any]) -> bytes:
    """Encode a JWK Set document."""
    return json.dumps({"keys": jwks}).encode()


def make_claims(**changes: Any) -> dict[str, Any]:
    """Make claims that the verifier accepts. A change to `...` removes a claim."""
    now = time.time()
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "u1",
        "exp": int(now) + 300,
        "iat": int(now) - 1,
        "scope": "dashboard:read",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not ...}


def make_token(
    claims: Mapping[str, Any] | bytes | None = None,
    header: Mapping[str, Any] | bytes | None = None,
    *,
    key: SigningKey | None = None,
    signature: bytes | None = None,
) -> str:
    """Make a token. Bytes are used as they are; a mapping is merged into the defaults."""
    key = key or get_signing_key("RS256")
    if not isinstance(header, bytes):
        members = {"alg": key.alg, "kid": key.kid, "typ": "JWT", **(header or {})}
        header = encode_json({name: value for name, value in members.items() if value is not ...})
    payload = claims if isinstance(claims, bytes) else encode_json(make_claims(**(claims or {})))
    signing_input = f"{encode_base64url(header)}.{encode_base64url(payload)}"
    if signature is None:
        signature = key.sign(signing_input.encode())
    return f"{signing_input}.{encode_base64url(signature)}"


def encode_json(value: object) -> bytes:
    """Encode JSON without white space."""
    return json.dumps(value, separators=(",", ":")).encode()


def encode_base64url(data: bytes) -> str:
    """Encode base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")
