"""The key file of an issuer."""

from pathlib import Path

import pytest

from gateway.auth.jwks.key_file import find_key_file_errors, read_key_file
from gateway.auth.jwks.key_set import MAX_DOCUMENT_BYTES
from gateway.settings.schema import ALGORITHMS, Issuer
from tests.gateway.auth.token_factory import encode_jwk_set, get_signing_key

KEY = get_signing_key("ES256").jwk()


def test_the_keys_of_the_file_are_read(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(encode_jwk_set(KEY))
    assert read_key_file(file, ALGORITHMS).ids == {"es256"}
    issuers = [Issuer(issuer="a", audience="b", jwks_file=file)]
    assert find_key_file_errors(issuers) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON: "),
        (b"\xff", "is not JSON: "),
        (b"[]", "not a JSON object"),
        (b"-----BEGIN PUBLIC KEY-----", "is PEM; convert the key to a JWK Set, which is JSON"),
        (b'{"kty":"EC"}', "not a JWK Set: it has no list `keys`; it is one JWK, which must be put"),
        (
            b'{"a":"-----BEGIN CERTIFICATE-----"}',
            "not a JWK Set: it has no list `keys`; it has certificates: use the URL",
        ),
        (b" " * (MAX_DOCUMENT_BYTES + 1), f"is larger than {MAX_DOCUMENT_BYTES} bytes"),
        (encode_jwk_set({**KEY, "use": "enc"}), "no usable key in the JWK Set"),
        (encode_jwk_set({**KEY, "d": "AQ"}), "no usable key in the JWK Set"),
        (encode_jwk_set(), "no usable key in the JWK Set"),
    ],
)
def test_a_file_without_usable_keys_is_an_error_of_its_issuer(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(content)
    issuers = [
        Issuer.model_validate({"issuer": "a", "audience": "b", "jwks_url": "https://a"}),
        Issuer(issuer="b", audience="b", jwks_file=file),
    ]
    (error,) = find_key_file_errors(issuers)
    assert error.path == "issuers.1.jwks_file"
    assert error.message.startswith(f"{file}: {message}")
    assert bool(error.hint) == ("no usable key" in message)


def test_keys_for_other_algorithms_are_not_usable(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(encode_jwk_set(KEY))
    keys = read_key_file(file, ["RS256"])
    assert (keys.ids, keys.ignored[0].is_intended) == (frozenset(), False)
