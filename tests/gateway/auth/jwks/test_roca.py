"""RSA keys of the ROCA weakness (CVE-2017-15361)."""

import secrets

from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.auth.jwks.roca import has_roca_fingerprint
from gateway.auth.jwt import base64url
from tests.gateway.auth.jwks.weak_keys import ROCA_MODULUS
from tests.gateway.auth.token_factory import get_private_key


def test_a_modulus_of_weak_primes_is_recognized() -> None:
    assert has_roca_fingerprint(int.from_bytes(base64url.decode(ROCA_MODULUS)))


def test_other_moduli_are_not() -> None:
    key = get_private_key("RS256")
    assert isinstance(key, rsa.RSAPrivateKey)
    assert not has_roca_fingerprint(key.public_key().public_numbers().n)
    assert not any(has_roca_fingerprint(secrets.randbits(2_048)) for _ in range(10_000))
