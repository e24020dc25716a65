"""Hostile tokens: good claims under a signature that proves nothing, and keys not to be trusted."""

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


def _hmac(secret: Callable[[], bytes], alg: str = "HS256", kid: str = "rs256") -> Token:
    """Signed with what everybody knows: our public key, taken for a shared secret."""

    def token() -> str:
        unsigned = make_token(header={"alg": alg, "kid": kid}, signature=b"").rstrip(".")
        mac = hmac.digest(secret(), unsigned.encode(), f"sha{alg[2:]}")
        return f"{unsigned}.{encode_base64url(mac)}"

    return token


def _public(alg: str, encoding: Encoding, form: PublicFormat) -> Callable[[], bytes]:
    public: Any = get_private_key(alg).public_key()
    return lambda: bytes(public.public_bytes(encoding, form))


SPKI, PKCS1, SSH = (
    PublicFormat.SubjectPublicKeyInfo,
    PublicFormat.PKCS1,
    PublicFormat.OpenSSH,
)

SECRETS: dict[str, Callable[[], bytes]] = {
    "RSA PEM": _public("RS256", Encoding.PEM, SPKI),
    "RSA PEM, stripped": lambda: _public("RS256", Encoding.PEM, SPKI)().strip(),
    "RSA PKCS#1 PEM": _public("RS256", Encoding.PEM, PKCS1),
    "RSA DER": _public("RS256", Encoding.DER, SPKI),
    "RSA PKCS#1 DER": _public("RS256", Encoding.DER, PKCS1),
    "RSA OpenSSH": _public("RS256", Encoding.OpenSSH, SSH),
    "EC PEM": _public("ES256", Encoding.PEM, SPKI),
    "EC DER": _public("ES256", Encoding.DER, SPKI),
    "EC OpenSSH": _public("ES256", Encoding.OpenSSH, SSH),
    "EC point": _public("ES256", Encoding.X962, PublicFormat.UncompressedPoint),
    "Ed25519 PEM": _public("EdDSA", Encoding.PEM, SPKI),
    "Ed25519 raw": _public("EdDSA", Encoding.Raw, PublicFormat.Raw),
    "JWK JSON": lambda: json.dumps(get_signing_key("RS256").jwk()).encode(),
    "modulus": get_signing_key("RS256").jwk()["n"].encode,
    "base64 of DER": lambda: b64encode(_public("RS256", Encoding.DER, SPKI)()),
    "nothing": lambda: b"",
    "kid": lambda: b"rs256",
}

CONFUSED: dict[str, Token] = {
    **{f"HS256 under {name}": _hmac(secret) for name, secret in SECRETS.items()},
    "HS384 under RSA DER": _hmac(SECRETS["RSA DER"], "HS384"),
    "HS512 under RSA PEM": _hmac(SECRETS["RSA PEM"], "HS512"),
    "HS256 under the published secret": _hmac(lambda: b"published", kid="oct"),
}


def _of_another_key(alg: str) -> Token:
    rsa_or_not = "stranger" if alg[:2] in {"RS", "PS"} else f"stranger {alg}"
    return lambda: make_token(key=get_signing_key(alg, name=rsa_or_not))


def _signing(alg: str, change: Callable[[bytes], bytes]) -> Token:
    """Good claims, and a signature that was changed before it was written down."""

    def token() -> str:
        signed = make_token(key=get_signing_key(alg)).rpartition(".")[0]
        return f"{signed}.{encode_base64url(change(get_signing_key(alg).sign(signed.encode())))}"

    return token


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda signature: signature[:-1],
    "with a byte more": lambda signature: signature + b"\0",
    "with a byte before": lambda signature: b"\0" + signature,
    "with a bit changed": lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
    "turned round": lambda signature: signature[::-1],
    "of zeros": lambda signature: bytes(len(signature)),
}

FORGED: dict[str, Token] = {
    **{f"{alg} of another key": _of_another_key(alg) for alg in ALGORITHMS},
    **{
        f"{alg} {name}": _signing(alg, change)
        for alg in ALGORITHMS
        for name, change in CHANGES.items()
    },
}


def _relabelled(alg: str, of: str) -> Token:
    """Signed as `alg` says, with a key that is published for another algorithm."""
    return lambda: make_token(key=SigningKey(of.lower(), alg, get_private_key(of)))


MISMATCHED: dict[str, Token] = {
    f"{alg} with the key of {of}": _relabelled(alg, of)
    for alg, of in (
        ("RS512", "RS256"), ("RS384", "RS256"), ("PS256", "RS256"), ("RS256", "PS256"),
        ("PS512", "PS256"), ("ES256", "ES384"), ("ES384", "ES256"), ("ES512", "ES256"),
    )
}  # fmt: skip


def _ecdsa(r: int, s: int) -> Token:
    return lambda: make_token(
        key=get_signing_key("ES256"), signature=r.to_bytes(32) + s.to_bytes(32)
    )


def _der(raw: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))


def _plus_order(raw: bytes) -> bytes:
    """The same point, with S beyond the group order (RFC 8032, section 5.1.7)."""
    s = int.from_bytes(raw[32:], "little") + ED25519_ORDER
    return raw[:32] + s.to_bytes(32, "little")


MALFORMED: dict[str, Token] = {
    "ES256 r = s = 0": _ecdsa(0, 0),
    "ES256 r = 0": _ecdsa(0, 1),
    "ES256 s = 0": _ecdsa(1, 0),
    "ES256 r = s = 1": _ecdsa(1, 1),
    "ES256 r = s = n": _ecdsa(P256_ORDER, P256_ORDER),
    "ES256 r = s = n + 1": _ecdsa(P256_ORDER + 1, P256_ORDER + 1),
    "ES256 r = s = 2^256 - 1": _ecdsa(2**256 - 1, 2**256 - 1),
    "ES256 in DER": _signing("ES256", _der),
    "EdDSA of the identity": lambda: make_token(
        key=get_signing_key("EdDSA"), signature=IDENTITY + bytes(32)
    ),
    "EdDSA under a key of small order": lambda: make_token(
        key=get_signing_key("EdDSA", "small"), signature=IDENTITY + bytes(32)
    ),
    "EdDSA with S beyond the order": _signing("EdDSA", _plus_order),
    "the hash itself": lambda: make_token(signature=hashlib.sha256(b"").digest()),
    "RS256 of zeros as long as the key": lambda: make_token(signature=bytes(256)),
    "RS256 of ones as long as the key": lambda: make_token(signature=b"\xff" * 256),
}


def _unfit() -> dict[str, tuple[SigningKey, dict[str, Any]]]:
    """Keys that are published, and yet not to be used: each with what is wrong with its JWK."""
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
        "with an alg that is no text": (SigningKey("list", "RS256", ours), {"alg": ["RS256"]}),
        "of P-384 for ES256": (SigningKey("p384", "ES256", p384), {}),
        "with its private half": (SigningKey("private", "RS256", ours), {"d": "AQ"}),
        "of a kind unknown": (SigningKey("kind", "RS256", ours), {"kty": "LWE"}),
        "of a curve unknown": (
            SigningKey("curve", "ES256", get_private_key("ES256")),
            {"crv": "secp256k1"},
        ),
        "off its curve": (
            SigningKey("off", "ES256", get_private_key("ES256")),
            {"x": encode_base64url(b"x" * 32)},
        ),
        "in sloppy base64": (
            SigningKey("sloppy", "RS256", ours),
            {"n": get_signing_key("RS256").jwk()["n"] + "=="},
        ),
        "without a modulus": (SigningKey("bare", "RS256", ours), {"n": None}),
        "whose name another has too": (SigningKey("twice", "RS256", ours), {}),
    }


UNFIT = _unfit()

UNFIT_JWKS: list[dict[str, Any]] = [
    *(key.jwk(**wrong) for key, wrong in UNFIT.values()),
    get_signing_key("RS256", "twice", name="stranger").jwk(),
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
    **CONFUSED,
    **FORGED,
    **MISMATCHED,
    **MALFORMED,
    **{f"a key {name}": partial(make_token, key=key) for name, (key, _) in UNFIT.items()},
}
