"""The file of signing keys: what it must be, and the words for everything else."""

import json
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk as jose_jwk

from gateway.bounded_file import UnreadableFile
from gateway.identity.key_document import MAX_FILE_BYTES
from gateway.identity.signing_key import (
    build_private_members,
    compute_thumbprint,
    generate_signing_key,
)
from gateway.identity.signing_key_file import (
    MAX_KEYS,
    InvalidSigningKeys,
    parse_signing_keys,
    read_signing_keys,
)

_EC_KEY = generate_signing_key("ES256", 1).private
_ED_KEY = generate_signing_key("EdDSA", 1).private
EC, ED = build_private_members(_EC_KEY), build_private_members(_ED_KEY)
OTHER_EC = build_private_members(generate_signing_key("ES256", 1).private)
_RSA_PEM = rsa.generate_private_key(65_537, 2_048).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
RSA = jose_jwk.construct(_RSA_PEM.decode(), "RS256").to_dict()


def encode(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


def test_the_two_kinds_of_keys_are_read_with_their_ids_and_times() -> None:
    document = encode(EC | {"iat": 20, "kid": "b"}, ED | {"iat": 10.5})
    keys = [period.key for period in parse_signing_keys(document).periods]
    assert [(key.key_id, key.algorithm, key.created_at) for key in keys] == [
        (compute_thumbprint(_ED_KEY), "EdDSA", 10.5),
        ("b", "ES256", 20),
    ]


def test_a_single_key_needs_no_time_and_no_id() -> None:
    (period,) = parse_signing_keys(encode(EC)).periods
    assert (period.key.created_at, period.key.key_id) == (0, compute_thumbprint(_EC_KEY))


def test_a_published_key_has_no_private_member() -> None:
    for members in (EC, ED):
        (period,) = parse_signing_keys(encode(members | {"x5c": ["private?"]})).periods
        public = dict(period.key.public_jwk)
        assert set(public) <= {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert members["d"] not in f"{public} {period!r}"


WRONG = {
    "is not JSON": [b"", b"{", b"\xff\xfe", encode(EC)[:-9]],
    "is refused: duplicate member name": [b'{"keys": [], "keys": []}'],
    "is PEM; it must be a JWK Set, which is JSON": [_RSA_PEM],
    "is not a JWK Set: it has no list `keys`": [b"{}", b'{"keys": {}}'],
    "it is one JWK, which must be put into such a list": [json.dumps(EC).encode()],
    "has 0 keys; it must have 1 to 16": [encode()],
    "has 17 keys; it must have 1 to 16": [encode(*[EC] * (MAX_KEYS + 1))],
    "key 1: not a JSON object": [encode("key")],
    'key 1: kty is "RSA"; it must be EC with crv P-256, or OKP with crv Ed25519': [encode(RSA)],
    'key 1: kty is "oct"; it must be EC with crv P-256': [encode({"kty": "oct", "k": "c2VjcmV0"})],
    'key 1: kty is "EC" with crv "P-384"; it must be': [encode(EC | {"crv": "P-384"})],
    'key 1: kty is "OKP" with crv "X25519"; it must be': [encode(ED | {"crv": "X25519"})],
    "key 1: kty is null; it must be": [encode({})],
    'key 1: kty is ["EC"] with crv': [encode(EC | {"kty": ["EC"]})],
    "key 1: it has no private member d": [
        encode({name: value for name, value in EC.items() if name != "d"})
    ],
    "key 1: d is not 32 bytes in base64url": [
        encode(EC | {"d": EC["d"][:-1]}),
        encode(EC | {"d": EC["d"] + "="}),
        encode(EC | {"d": 7}),
        encode(ED | {"d": ""}),
    ],
    "key 1: d is not a private key of P-256": [encode(EC | {"d": "A" * 43})],
    "key 1: its public members do not fit its private member d": [
        encode(EC | {"d": OTHER_EC["d"]}),
        encode(EC | {"x": OTHER_EC["x"]}),
        encode(ED | {"x": EC["x"]}),
    ],
    'key 1: use is "enc"; it must be sig': [encode(EC | {"use": "enc"})],
    'key 1: alg is "ES384"; of a key of its kind it is ES256': [encode(EC | {"alg": "ES384"})],
    "key 1: kid must be a string of 1 to 256 characters": [
        encode(EC | {"kid": ""}),
        encode(EC | {"kid": 7}),
        encode(EC | {"kid": "k" * 257}),
    ],
    'two keys have the kid "k"': [
        encode(EC | {"kid": "k", "iat": 1}, ED | {"kid": "k", "iat": 2}),
    ],
    "key 2: iat must be the time of its creation": [encode(EC | {"iat": 1}, ED)],
    "key 1: iat must be the time of its creation": [
        encode(EC | {"iat": "2026"}),
        encode(EC | {"iat": True}),
    ],
    "key 1: iat is not a date": [encode(EC | {"iat": -1}), encode(EC | {"iat": 10**13})],
}


@pytest.mark.parametrize(
    ("words", "document"),
    [(words, document) for words, documents in WRONG.items() for document in documents],
)
def test_every_other_file_is_refused_in_words_without_a_secret(words: str, document: bytes) -> None:
    with pytest.raises(InvalidSigningKeys) as refused:
        parse_signing_keys(document)
    assert words in str(refused.value)
    printed = "".join(format_exception(refused.value))
    for secret in (EC["d"], ED["d"], RSA["d"], "c2VjcmV0"):
        assert secret[:8] not in printed


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    path.write_bytes(encode(EC))
    path.chmod(mode)
    assert read_signing_keys(path).ids == [compute_thumbprint(_EC_KEY)]


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o602, 0o620, 0o610])
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    path.write_bytes(encode(EC))
    path.chmod(mode)
    with pytest.raises(UnreadableFile, match=rf"has the mode {mode:04o}, .*run chmod 0600 on it"):
        read_signing_keys(path)


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(encode(EC) + b" " * MAX_FILE_BYTES)
    path.chmod(0o600)
    with pytest.raises(UnreadableFile, match="is larger than 65536 bytes"):
        read_signing_keys(path)


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    document = encode({
        "kty": "OKP", "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    })  # fmt: skip
    assert parse_signing_keys(document).ids == ["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"]
