"""Keys of clients, and the assertions that they sign with another library than the gateway's."""

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.oauth.presented_credentials import ASSERTION_TYPE
from tests.gateway.oauth.oauth_gateway import GATEWAY

ALGORITHM_OF_KEY = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}


@cache
def generate(kind: str, number: int) -> Any:
    """Return a private key of a kind; another one for each number."""
    del number
    if kind == "rsa":
        return rsa.generate_private_key(65_537, 2_048)
    return ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else Ed25519PrivateKey.generate()


def publish(kind: str, number: int = 0, **members: str) -> Mapping[str, str]:
    """Return the public JWK of a key."""
    key = generate(kind, number).public_key()
    algorithm: Any = {"rsa": RSAAlgorithm, "ec": ECAlgorithm, "ed": OKPAlgorithm}[kind]
    published: dict[str, Any] = json.loads(algorithm.to_jwk(key))
    return {name: published[name] for name in published if name != "key_ops"} | members


def make_claims(client_id: str = "signer", **claims: Any) -> dict[str, Any]:
    """Return the claims of an assertion; one that is None is left out."""
    now = int(time.time())
    standard = {
        "iss": client_id,
        "sub": client_id,
        "aud": GATEWAY,
        "iat": now,
        "exp": now + 60,
        "jti": uuid4().hex,
    }
    return {name: value for name, value in (standard | claims).items() if value is not None}


def sign(
    claims: Mapping[str, Any],
    kind: str = "ec",
    number: int = 0,
    *,
    algorithm: str | None = None,
    **header: Any,
) -> str:
    """Sign an assertion."""
    algorithm = algorithm or ALGORITHM_OF_KEY[kind]
    return jwt.encode(dict(claims), generate(kind, number), algorithm, headers=header)


def present(assertion: str, **form: str) -> dict[str, str]:
    """Return the form of a token request with an assertion."""
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        **form,
    }
