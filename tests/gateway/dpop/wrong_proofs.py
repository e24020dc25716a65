"""Proofs that are wrong in one way each, with the reason in the log."""

import time
from collections.abc import Iterator
from typing import Any

from tests.gateway.auth.token_factory import (
    SigningKey,
    encode_base64url,
    encode_json,
    get_private_key,
    get_signing_key,
    make_token,
)
from tests.gateway.dpop.proofs import (
    KEY,
    ORIGIN,
    OTHER_KEY,
    get_public_members,
    make_proof,
)

_JWK = get_public_members(KEY)
_WEAK = SigningKey("weak", "RS256", get_private_key("RS256", "weak", 1024))
_NOW = int(time.time())

Case = tuple[str, str, dict[str, Any]]
"""A name, the reason in the log, and the arguments of `make_proof`."""

HEADERS: list[Case] = [
    ("no typ", "proof_type", {"header": {"typ": ...}}),
    ("typ JWT", "proof_type", {"header": {"typ": "JWT"}}),
    ("typ at+jwt", "proof_type", {"header": {"typ": "at+jwt"}}),
    ("typ in a list", "proof_type", {"header": {"typ": ["dpop+jwt"]}}),
    ("typ in capitals", "proof_type", {"header": {"typ": "DPOP+JWT"}}),
    ("no alg", "proof_algorithm", {"header": {"alg": ...}}),
    ("alg none", "proof_algorithm", {"header": {"alg": "none"}}),
    ("alg None", "proof_algorithm", {"header": {"alg": "None"}}),
    ("alg HS256", "proof_algorithm", {"header": {"alg": "HS256"}}),
    ("alg null", "proof_algorithm", {"header": {"alg": None}}),
    ("alg in a list", "proof_algorithm", {"header": {"alg": ["ES256"]}}),
    ("alg unknown", "proof_algorithm", {"header": {"alg": "ES256K"}}),
    ("alg of another key type", "proof_key", {"header": {"alg": "RS256"}}),
    ("alg of another curve", "proof_key", {"header": {"alg": "ES384"}}),
    ("no jwk", "proof_key", {"header": {"jwk": ...}}),
    ("jwk null", "proof_key", {"header": {"jwk": None}}),
    ("jwk a text", "proof_key", {"header": {"jwk": "key"}}),
    ("jwk in a list", "proof_key", {"header": {"jwk": [_JWK]}}),
    ("jwk empty", "proof_key", {"header": {"jwk": {}}}),
    ("jwk symmetric", "proof_key", {"header": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}}),
    ("jwk private", "proof_key", {"header": {"jwk": {**_JWK, "d": "c2VjcmV0"}}}),
    ("jwk with k", "proof_key", {"header": {"jwk": {**_JWK, "k": "c2VjcmV0"}}}),
    ("jwk without y", "proof_key", {"header": {"jwk": {**_JWK, "y": None}}}),
    ("jwk not on the curve", "proof_key", {"header": {"jwk": {**_JWK, "y": _JWK["x"]}}}),
    ("jwk of another curve", "proof_key", {"header": {"jwk": {**_JWK, "crv": "P-384"}}}),
    ("jwk for encryption", "proof_key", {"header": {"jwk": {**_JWK, "use": "enc"}}}),
    ("jwk for other operations", "proof_key", {"header": {"jwk": {**_JWK, "key_ops": ["sign"]}}}),
    ("jwk with another alg", "proof_key", {"header": {"jwk": {**_JWK, "alg": "ES384"}}}),
    ("jwk of weak RSA", "proof_key", {"key": _WEAK}),
    ("jwk alone in jku", "proof_key", {"header": {"jwk": ..., "jku": "https://evil.test"}}),
    ("crit", "proof_header", {"header": {"crit": ["exp"]}}),
    ("b64", "proof_header", {"header": {"b64": False}}),
    ("zip", "proof_header", {"header": {"zip": "DEF"}}),
]

CLAIMS: list[Case] = [
    ("no jti", "proof_jti", {"jti": ...}),
    ("jti null", "proof_jti", {"jti": None}),
    ("jti empty", "proof_jti", {"jti": ""}),
    ("jti a number", "proof_jti", {"jti": 7}),
    ("jti too long", "proof_jti", {"jti": "x" * 257}),
    ("no htm", "proof_htm", {"htm": ...}),
    ("htm of another method", "proof_htm", {"htm": "POST"}),
    ("htm in lower case", "proof_htm", {"htm": "get"}),
    ("htm in a list", "proof_htm", {"htm": ["GET"]}),
    ("htm HEAD", "proof_htm", {"htm": "HEAD"}),
    ("no htu", "proof_htu", {"htu": ...}),
    ("htu in a list", "proof_htu", {"htu": [f"{ORIGIN}/orders"]}),
    ("htu of another path", "proof_htu", {"htu": f"{ORIGIN}/orders/1"}),
    ("htu with a slash more", "proof_htu", {"htu": f"{ORIGIN}/orders/"}),
    ("htu in another case", "proof_htu", {"htu": f"{ORIGIN}/Orders"}),
    ("htu of another scheme", "proof_htu", {"htu": "http://api.example.test/orders"}),
    ("htu of a WebSocket", "proof_htu", {"htu": "wss://api.example.test/orders"}),
    ("htu of another port", "proof_htu", {"htu": "https://api.example.test:8443/orders"}),
    ("htu of the Host field", "proof_htu", {"htu": "https://x/orders"}),
    ("htu of another host", "proof_htu", {"htu": "https://evil.test/orders"}),
    ("htu of a longer host", "proof_htu", {"htu": "https://api.example.test.evil.test/orders"}),
    ("htu with a user", "proof_htu", {"htu": "https://u@api.example.test/orders"}),
    (
        "htu with a user and the host",
        "proof_htu",
        {"htu": "https://api.example.test@evil.test/orders"},
    ),
    ("htu of a path alone", "proof_htu", {"htu": "/orders"}),
    ("htu without a host", "proof_htu", {"htu": "https:///orders"}),
    ("htu with a backslash", "proof_htu", {"htu": "https://evil.test\\@api.example.test/orders"}),
    ("htu with a bad escape", "proof_htu", {"htu": f"{ORIGIN}/order%7"}),
    ("htu with a space", "proof_htu", {"htu": f"{ORIGIN}/orders "}),
    ("htu with a line break", "proof_htu", {"htu": f"{ORIGIN}/orders\n"}),
    ("no iat", "proof_iat", {"iat": ...}),
    ("iat a text", "proof_iat", {"iat": str(_NOW)}),
    ("iat true", "proof_iat", {"iat": True}),
    ("iat an hour ago", "proof_iat", {"iat": _NOW - 3_600}),
    ("iat in an hour", "proof_iat", {"iat": _NOW + 3_600}),
    ("iat in milliseconds", "proof_iat", {"iat": _NOW * 1_000}),
    ("exp over", "proof_exp", {"exp": _NOW - 1}),
    ("exp a text", "proof_exp", {"exp": "never"}),
    ("nbf in an hour", "proof_nbf", {"nbf": _NOW + 3_600}),
    ("no ath", "proof_ath", {"ath": ...}),
    ("ath null", "proof_ath", {"ath": None}),
    ("ath of another token", "proof_ath", {"ath": encode_base64url(b"\0" * 32)}),
    ("ath with padding", "proof_ath", {"ath": encode_base64url(b"\0" * 32) + "="}),
    ("ath a number", "proof_ath", {"ath": 7}),
]

_CLAIMS = {"jti": "1", "htm": "GET", "htu": f"{ORIGIN}/orders", "iat": _NOW}


def _repeat(claim: str) -> bytes:
    """Return claims with one of them twice, which two parsers could read differently."""
    members = encode_json(_CLAIMS)
    return members[:-1] + b"," + encode_json({claim: _CLAIMS[claim]})[1:]


FORMS: list[Case] = [
    *((f"{claim} twice", "proof_malformed", {"payload": _repeat(claim)}) for claim in _CLAIMS),
    ("claims in a list", "proof_malformed", {"payload": b"[]"}),
    ("claims not JSON", "proof_malformed", {"payload": b"{"}),
    ("claims too deep", "proof_malformed", {"payload": b'{"a":' * 40 + b"1" + b"}" * 40}),
    ("header not JSON", "proof_malformed", {"header": b"{"}),
    ("header with typ twice", "proof_malformed",
     {"header": b'{"typ":"dpop+jwt","typ":"dpop+jwt","alg":"ES256"}'}),
    ("signature empty", "proof_malformed", {"signature": b""}),
    ("signature of zeros", "proof_signature", {"signature": b"\0" * 64}),
    ("signature too short", "proof_signature", {"signature": b"\0" * 63}),
    ("signature too long", "proof_signature", {"signature": b"\0" * 4_000}),
]  # fmt: skip


def list_wrong_texts(token: str) -> Iterator[tuple[str, str, str]]:
    """Yield values of the field that are no proof, with the reason in the log."""
    right = make_proof(token)
    head, claims, signature = right.split(".")
    other = make_proof(token, jti="another")
    yield "empty", "proof_malformed", ""
    yield "a word", "proof_malformed", "proof"
    yield "two segments", "proof_malformed", f"{head}.{claims}"
    yield "four segments", "proof_malformed", f"{right}.{signature}"
    yield "two in one field", "proof_malformed", f"{right}, {other}"
    yield "padding", "proof_malformed", f"{head}=.{claims}.{signature}"
    yield "quoted", "proof_malformed", f'"{right}"'
    yield "10 kB", "proof_too_large", make_proof(token, extra="x" * 7_500)
    yield "the access token", "proof_type", token
    yield "another token", "proof_type", make_token()
    yield "claims of another proof", "proof_signature", f"{head}.{other.split('.')[1]}.{signature}"
    yield (
        "signed by another key",
        "proof_signature",
        make_proof(token, key=OTHER_KEY, header={"jwk": _JWK}),
    )
    rsa = get_signing_key("RS256", name="client")
    yield (
        "the algorithm of another key",
        "proof_key",
        make_proof(token, key=rsa, header={"jwk": _JWK}),
    )
