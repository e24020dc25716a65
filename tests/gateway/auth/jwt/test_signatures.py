"""Signature verification, with one test for each name that is taken from inside python-jose.

If an update of python-jose breaks one of these tests, `gateway/auth/jwt/signatures.py` is the one
file to change. The docstring of the test says what breaks.
"""

import re
from pathlib import Path

import pytest
from jose import jwk
from jose.backends.base import Key

import gateway.auth
from gateway.auth.jwt import signatures
from gateway.auth.jwt.signatures import (
    Ed25519Key,
    RsaPssKey,
    construct_key,
    is_valid_signature,
)
from gateway.settings.schema import ALGORITHMS
from tests.gateway.auth.token_factory import get_signing_key

PSS = ("PS256", "PS384", "PS512")


def test_jose_key_is_the_type_of_every_prepared_key() -> None:
    """`jose.backends.base.Key`: without it the two key classes here have no base class.

    `register_key` refuses a class that is not derived from it, and the annotations of the key set
    and the key provider name it.
    """
    assert signatures.Key is Key
    assert issubclass(RsaPssKey, Key)
    assert issubclass(Ed25519Key, Key)
    for algorithm in ALGORITHMS:
        assert isinstance(construct_key(get_signing_key(algorithm).jwk(), algorithm), Key)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_jose_key_verify_takes_message_and_signature(algorithm: str) -> None:
    """`Key.verify(msg, sig)`: if it no longer returns a bool, every token or none is valid."""
    signing_key = get_signing_key(algorithm)
    key = construct_key(signing_key.jwk(), algorithm)
    signature = signing_key.sign(b"message")
    assert key.verify(b"message", signature) is True
    assert key.verify(b"another message", signature) is False
    assert key.verify(b"message", signature[::-1]) is False


def test_jose_register_key_adds_the_algorithms_that_jose_lacks() -> None:
    """`jose.jwk.register_key`: without it there are no keys for PS256 to PS512 and Ed25519."""
    for algorithm in PSS:
        key = jwk.construct(get_signing_key(algorithm).jwk(), algorithm)
        assert isinstance(key, RsaPssKey)
    for algorithm in ("EdDSA", "Ed25519"):
        key = jwk.construct(get_signing_key("EdDSA").jwk(), algorithm)
        assert isinstance(key, Ed25519Key)


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name[:2] in {"RS", "ES"}])
def test_jose_construct_makes_keys_of_the_cryptography_back_end(algorithm: str) -> None:
    """`jose.jwk.construct`: without it there are no keys at all.

    Its other back ends, in pure Python, are many times slower and not safe against timing attacks.
    """
    key = construct_key(get_signing_key(algorithm).jwk(), algorithm)
    assert type(key).__module__ == "jose.backends.cryptography_backend"


def test_only_this_module_of_auth_imports_jose() -> None:
    folder = Path(gateway.auth.__file__).parent
    importing = re.compile(r"^\s*(?:from|import) jose\b", re.MULTILINE)
    found = [file for file in folder.rglob("*.py") if importing.search(file.read_text("utf-8"))]
    assert found == [Path(signatures.__file__)]


@pytest.mark.parametrize(
    ("members", "algorithm"),
    [
        ({}, "RS256"),
        ({"kty": "RSA", "n": "AQAB"}, "PS256"),
        ({"kty": "OKP", "crv": "Ed25519", "x": "AA"}, "EdDSA"),
        (get_signing_key("ES256").jwk(x="AA"), "ES256"),
        (get_signing_key("RS256").jwk(), "unknown"),
    ],
    ids=["empty", "no exponent", "short key", "not on the curve", "unknown algorithm"],
)
def test_a_malformed_key_is_a_value_error(members: dict[str, str], algorithm: str) -> None:
    with pytest.raises(ValueError, match="not a usable key"):
        construct_key(members, algorithm)


def test_an_error_while_verifying_counts_as_an_invalid_signature() -> None:
    class BrokenKey(Key):
        def __init__(self) -> None: ...

        def verify(self, msg: bytes, sig: bytes) -> bool:
            raise RuntimeError("broken engine")

    assert is_valid_signature(BrokenKey(), b"message", b"signature") is False
