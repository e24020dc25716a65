"""Why a key is not usable."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.auth.jwks.jwk import UnusableKey, parse_jwk
from gateway.settings.schema import ALGORITHMS
from tests.gateway.auth.jwks.weak_keys import ROCA_MODULUS
from tests.gateway.auth.token_factory import SigningKey, encode_base64url, get_signing_key

SHORT = SigningKey("a", "RS256", rsa.generate_private_key(65_537, 1_024)).jwk()
EVEN = encode_base64url(b"\x80" + bytes(255))

# Algorithm of the key, changed members, reason, and whether the key was meant for signatures.
UNUSABLE: list[tuple[str, dict[str, Any], str, bool]] = [
    ("RS256", {"use": "enc"}, 'use is "enc", not sig', False),
    ("RS256", {"key_ops": ["encrypt"]}, 'key_ops is ["encrypt"], without verify', False),
    ("RS256", {"key_ops": "verify"}, 'key_ops is "verify", without verify', False),
    ("RS256", {"d": "AQ"}, "it is not public: it has the private member d", True),
    ("RS256", {"kty": "oct", "k": "AQ"}, "it is not public: it has the private member k", True),
    ("RS256", {"kty": "LWE"}, 'kty is "LWE"; it must be RSA, EC or OKP', True),
    ("RS256", {"kty": None}, "kty is null; it must be RSA, EC or OKP", True),
    ("RS256", {"kid": 7}, "kid is not a string of 1 to 256 characters", True),
    ("RS256", {"n": None}, "n is missing or not a string", True),
    ("RS256", {"n": None, "x5c": ["MIIB"]}, (
        "n is missing or not a string; x5c alone is not enough"
    ), True),
    ("RS256", {"n": "AQ+/"}, "n is not base64url", True),
    ("RS256", {"n": SHORT["n"]}, "RSA with 1024 bits; it must have 2048 to 8192", True),
    ("RS256", {"n": EVEN}, "RSA with an even modulus", True),
    ("RS256", {"e": "AQAA"}, "RSA with an even exponent", True),
    ("RS256", {"e": "Aw"}, "RSA with an exponent below 65537 or longer than 32 bits", True),
    ("RS256", {"n": ROCA_MODULUS}, (
        "RSA with the ROCA weakness (CVE-2017-15361); replace the key"
    ), True),
    ("RS256", {"alg": "RSA-OAEP"}, (
        'alg is "RSA-OAEP", no signature of a key of its type'
    ), True),
    ("RS256", {"alg": "RS384"}, (
        "its algorithms (RS384) are not in algorithms of the issuer"
    ), False),
    ("ES256", {"x": "AQ"}, "x and y are not a point of the curve P-256", True),
    ("ES256", {"x": encode_base64url(b"x" * 32)}, (
        "x and y are not a point of the curve P-256"
    ), True),
    ("ES256", {"crv": "secp256k1"}, 'crv is "secp256k1", which is not supported', True),
    ("EdDSA", {"crv": "Ed448"}, 'crv is "Ed448", which is not supported', True),
    ("EdDSA", {"x": "AQ"}, "Ed25519 with 1 bytes; it must have 32", True),
    ("EdDSA", {"x": encode_base64url(b"\1" + bytes(31))}, (
        "Ed25519 with a point of small order"
    ), True),
]  # fmt: skip


@pytest.mark.parametrize(("alg", "changes", "reason", "is_intended"), UNUSABLE)
def test_the_reason_is_named(
    alg: str, changes: dict[str, Any], reason: str, *, is_intended: bool
) -> None:
    allowed = [name for name in ALGORITHMS if name != "RS384"]
    with pytest.raises(UnusableKey) as raised:
        parse_jwk(get_signing_key(alg).jwk(**changes), allowed)
    assert (str(raised.value), raised.value.is_intended) == (reason, is_intended)


@pytest.mark.parametrize("entry", [1, None, "x", [], True])
def test_an_entry_that_is_no_object_is_not_usable(entry: Any) -> None:
    with pytest.raises(UnusableKey, match="not a JSON object"):
        parse_jwk(entry, ALGORITHMS)


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": None},
        {"use": None},
        {"key_ops": ["verify"]},
        {"e": "AQAB=="},
        {"key_ops": ["sign", "verify"]},
        {"x5c": ["MIIB"], "x5t": "x", "x5t#S256": 7, "exp": 1, "nbf": "x"},
        {"issuer": {"a": 1}, "cloud_instance_name": "microsoftonline.com"},
    ],
    ids=str,
)
def test_optional_and_unknown_members_do_no_harm(changes: dict[str, Any]) -> None:
    assert "RS256" in parse_jwk(get_signing_key("RS256").jwk(**changes), ALGORITHMS).by_algorithm
