"""DPoP proofs for tests, made with `cryptography` alone, and the access tokens that they prove."""

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from tests.gateway.auth.token_factory import (
    SigningKey,
    encode_base64url,
    encode_json,
    get_signing_key,
    make_token,
)

ORIGIN = "https://api.example.test"
KEY = get_signing_key("ES256", name="client")
OTHER_KEY = get_signing_key("ES256", name="another client")

_MEMBERS = ("kty", "crv", "x", "y", "n", "e")


def get_public_members(key: SigningKey) -> dict[str, str]:
    """Return the members that make the public key, and no other."""
    return {name: value for name, value in key.jwk().items() if name in _MEMBERS}


def compute_thumbprint(key: SigningKey) -> str:
    """Compute the thumbprint of RFC 7638."""
    canonical = json.dumps(get_public_members(key), separators=(",", ":"), sort_keys=True)
    return encode_base64url(hashlib.sha256(canonical.encode()).digest())


def hash_text(token: str) -> str:
    """Return the claim `ath` for a token."""
    return encode_base64url(hashlib.sha256(token.encode()).digest())


def make_bound_token(key: SigningKey = KEY, **claims: Any) -> str:
    """Make an access token that is bound to a key."""
    return make_token({"cnf": {"jkt": compute_thumbprint(key)}, **claims})


def make_proof(
    token: str | None = None,
    path: str = "/orders",
    *,
    key: SigningKey = KEY,
    header: Mapping[str, Any] | bytes | None = None,
    signature: bytes | None = None,
    payload: bytes | None = None,
    **claims: Any,
) -> str:
    """Make a proof for a GET request. A claim or a header parameter of `...` is left out."""
    members: dict[str, Any] = {
        "jti": uuid4().hex,
        "htm": "GET",
        "htu": ORIGIN + path,
        "iat": int(time.time()),
        "ath": ... if token is None else hash_text(token),
        **claims,
    }
    if payload is None:
        payload = encode_json({name: it for name, it in members.items() if it is not ...})
    if not isinstance(header, bytes):
        parameters: dict[str, Any] = {
            "typ": "dpop+jwt",
            "alg": key.alg,
            "jwk": get_public_members(key),
        }
        parameters |= header or {}
        header = encode_json({name: it for name, it in parameters.items() if it is not ...})
    signing_input = f"{encode_base64url(header)}.{encode_base64url(payload)}"
    signed = key.sign(signing_input.encode()) if signature is None else signature
    return f"{signing_input}.{encode_base64url(signed)}"


def prove(token: str, path: str = "/orders", **options: Any) -> dict[str, str]:
    """Return the header fields of a request with a bound token."""
    return {"Authorization": f"DPoP {token}", "DPoP": make_proof(token, path, **options)}
