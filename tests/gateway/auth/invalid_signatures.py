"""Invalid tokens: valid claims with a forged signature, and unusable keys in the JWK Set."""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.settings.schema import ALGORITHMS
from tests.gateway.auth.token_factory import (
    SigningKey,
    encode_base64url,
    get_private_key,
    get_signing_key,
    make_token,
)

Token = Callable[[], str]

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
IDENTITY = b"\x01" + bytes(31)


def _with_hmac(secret: Callable[[], bytes], alg: str = "HS256", kid: str = "rs256") -> Token:
    """Sign with HMAC, and the published key as the shared secret (algorithm confusion)."""

    def token() -> str:
        signing_input = make_token(header={"alg": alg, "kid": kid}, signature=b"").rstrip(".")
        mac = hmac.digest(secret(), signing_input.encode(), f"sha{alg[2:]}")
        return f"{signing_input}.{encode_base64url(mac)}"

    return token


def _encode_public_key(
    alg: str, encoding: Encoding, public_format: PublicFormat
) -> Callable[[], bytes]:
    public: Any = get_private_key(alg).public_key()
    return lambda: bytes(public.public_bytes(encoding, public_format))


SPKI, PKCS1, SSH = (
    PublicFormat.SubjectPublicKeyInfo,
    PublicFormat.PKCS1,
    PublicFormat.OpenSSH,
)

SECRETS: dict[str, Callable[[], bytes]] = {
    "RSA PEM": _encode_public_key("RS256", Encoding.PEM, SPKI),
    "RSA PEM, stripped": lambda: _encode_public_key("RS256", Encoding.PEM, SPKI)().strip(),
    "RSA PKCS#1 PEM": _encode_public_key("RS256", Encoding.PEM, PKCS1),
    "RSA DER": _encode_public_key("RS256", Encoding.DER, SPKI),
    "RSA PKCS#1 DER": _encode_public_key("RS256", Encoding.DER, PKCS1),
    "RSA OpenSSH": _encode_public_key("RS256", Encoding.OpenSSH, SSH),
    "EC PEM": _encode_public_key("ES256", Encoding.PEM, SPKI),
    "EC DER": _encode_public_key("ES256", Encoding.DER, SPKI),
    "EC OpenSSH": _encode_public_key("ES256", Encoding.OpenSSH, SSH),
    "EC point": _encode_public_key("ES256", Encoding.X962, PublicFormat.UncompressedPoint),
    "Ed25519 PEM": _encode_public_key("EdDSA", Encoding.PEM, SPKI),
    "Ed25519 raw": _encode_public_key("EdDSA", Encoding.Raw, PublicFormat.Raw),
    "JWK JSON": lambda: json.dumps(get_signing_key("RS256").jwk()).encode(),
    "modulus": get_signing_key("RS256").jwk()["n"].encode,
    "base64 of DER": lambda: b64encode(_encode_public_key("RS256", Encoding.DER, SPKI)()),
    "an empty secret": lambda: b"",
    "kid": lambda: b"rs256",
}

ALGORITHM_CONFUSION: dict[str, Token] = {
    **{f"HS256 under {name}": _with_hmac(secret) for name, secret in SECRETS.items()},
    "HS384 under RSA DER": _with_hmac(SECRETS["RSA DER"], "HS384"),
    "HS512 under RSA PEM": _with_hmac(SECRETS["RSA PEM"], "HS512"),
    "HS256 under the published secret": _with_hmac(lambda: b"published", kid="oct"),
}


def _signed_by_attacker(alg: str) -> Token:
    name = "attacker" if alg[:2] in {"RS", "PS"} else f"attacker {alg}"
    return lambda: make_token(key=get_signing_key(alg, name=name))


def _with_changed_signature(alg: str, change: Callable[[bytes], bytes]) -> Token:
    """Change a valid signature."""

    def token() -> str:
        key = get_signing_key(alg)
        signing_input = make_token(key=key).rpartition(".")[0]
        signature = change(key.sign(signing_input.encode()))
        return f"{signing_input}.{encode_base64url(signature)}"

    return token


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda signature: signature[:-1],
    "with a byte appended": lambda signature: signature + b"\0",
    "with a byte prepended": lambda signature: b"\0" + signature,
    "with a bit flipped": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    "reversed": lambda signature: signature[::-1],
    "of zeros": lambda signature: bytes(len(signature)),
}

FORGED: dict[str, Token] = {
    **{f"{alg} of another key": _signed_by_attacker(alg) for alg in ALGORITHMS},
    **{
        f"{alg} {name}": _with_changed_signature(alg, change)
        for alg in ALGORITHMS
        for name, change in CHANGES.items()
    },
}


def _with_key_for(alg: str, key_alg: str) -> Token:
    """Sign with `alg`, and with a key that is published for `key_alg`."""
    return lambda: make_token(key=SigningKey(key_alg.lower(), alg, get_private_key(key_alg)))


MISMATCHED: dict[str, Token] = {
    f"{alg} with the key for {key_alg}": _with_key_for(alg, key_alg)
    for alg, key_alg in (
        ("RS512", "RS256"), ("RS384", "RS256"), ("PS256", "RS256"), ("RS256", "PS256"),
        ("PS512", "PS256"), ("ES256", "ES384"), ("ES384", "ES256"), ("ES512", "ES256"),
    )
}  # fmt: skip


def _with_ecdsa_values(r: int, s: int) -> Token:
    return lambda: make_token(
        key=get_signing_key("ES256"), signature=r.to_bytes(32) + s.to_bytes(32)
    )


def _encode_der(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))


def _add_group_order(raw: bytes) -> bytes:
    """Add the group order to S (RFC 8032, section 5.1.7)."""
    s = int.from_bytes(raw[32:], "little") + ED25519_ORDER
    return raw[:32] + s.to_bytes(32, "little")


MALFORMED: dict[str, Token] = {
    "ES256 r = s = 0": _with_ecdsa_values(0, 0),
    "ES256 r = 0": _with_ecdsa_values(0, 1),
    "ES256 s = 0": _with_ecdsa_values(1, 0),
    "ES256 r = s = 1": _with_ecdsa_values(1, 1),
    "ES256 r = s = n": _with_ecdsa_values(P256_ORDER, P256_ORDER),
    "ES256 r = s = n + 1": _with_ecdsa_values(P256_ORDER + 1, P256_ORDER + 1),
    "ES256 r = s = 2^256 - 1": _with_ecdsa_values(2**256 - 1, 2**256 - 1),
    "ES256 in DER": _with_changed_signature("ES256", _encode_der),
    "EdDSA of the identity": lambda: make_token(
        key=get_signing_key("EdDSA"), signature=IDENTITY + bytes(32)
    ),
    "EdDSA under a key of small order": lambda: make_token(
        key=get_signing_key("EdDSA", "small"), signature=IDENTITY + bytes(32)
    ),
    "EdDSA with S beyond the order": _with_changed_signature("EdDSA", _add_group_order),
    "the hash itself": lambda: make_token(signature=hashlib.sha256(b"").digest()),
    "RS256 of zeros as long as the key": lambda: make_token(signature=bytes(256)),
    "RS256 of ones as long as the key": lambda: make_token(signature=b"\xff" * 256),
}


def _make_unusable_keys() -> dict[str, tuple[SigningKey, dict[str, Any]]]:
    """Make keys that are published but unusable, each with the members that make it so."""
    ours = get_private_key("RS256")
    weak, low = get_private_key("RS256", "weak", 1_024), rsa.generate_private_key(3, 2_048)
    p384 = ec.generate_private_key(ec.SECP384R1())
    return {
        "for encryption": (SigningKey("enc", "RS256", ours), {"use": "enc"}),
        "for signing only": (SigningKey("sign", "RS256", ours), {"key_ops": ["sign"]}),
        "for no operation": (SigningKey("idle", "RS256", ours), {"key_ops": []}),
        "of 1024 bits": (SigningKey("weak", "RS256", weak), {}),
        "with exponent 3": (SigningKey("low", "RS256", low), {}),
        "for another algorithm": (SigningKey("oaep", "RS256", ours), {"alg": "RSA-OAEP"}),
        "with an alg that is not a string": (SigningKey("list", "RS256", ours), {"alg": ["RS256"]}),
        "of P-384 for ES256": (SigningKey("p384", "ES256", p384), {}),
        "with its private half": (SigningKey("private", "RS256", ours), {"d": "AQ"}),
        "of an unknown type": (SigningKey("kind", "RS256", ours), {"kty": "LWE"}),
        "of an unknown curve": (
            SigningKey("curve", "ES256", get_private_key("ES256")),
            {"crv": "secp256k1"},
        ),
        "not on its curve": (
            SigningKey("off", "ES256", get_private_key("ES256")),
            {"x": encode_base64url(b"x" * 32)},
        ),
        "in the standard alphabet": (SigningKey("standard", "RS256", ours), {"n": "+/" * 171}),
        "without a modulus": (SigningKey("bare", "RS256", ours), {"n": None}),
    }


UNUSABLE = _make_unusable_keys()

UNUSABLE_JWKS: list[dict[str, Any]] = [
    *(key.jwk(**changes) for key, changes in UNUSABLE.values()),
    {"kty": "oct", "kid": "oct", "k": encode_base64url(b"published"), "alg": "HS256"},
    {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "small",
        "x": encode_base64url(IDENTITY),
        "alg": "EdDSA",
    },
]

TOKENS: dict[str, Token] = {
    **ALGORITHM_CONFUSION,
    **FORGED,
    **MISMATCHED,
    **MALFORMED,
    **{f"a key {name}": partial(make_token, key=key) for name, (key, _) in UNUSABLE.items()},
}
