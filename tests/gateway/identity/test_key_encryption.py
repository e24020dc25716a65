"""Private keys at rest: encrypted under a file, each for its own name."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.jwt import base64url
from gateway.bounded_file import UnreadableFile
from gateway.identity.key_encryption import (
    EncryptionKey,
    InvalidKeyFile,
    KeyEncryption,
    UndecryptableKey,
    parse_key_file,
    read_key_file,
)

OLD, NEW = EncryptionKey("old", bytes(32)), EncryptionKey("new", bytes(range(32)))
K = base64url.encode(bytes(32))


def write(path: Path, *keys: EncryptionKey) -> Path:
    entries = [
        {"kty": "oct", "alg": "A256GCM", "kid": key.key_id, "k": base64url.encode(key.secret)}
        for key in keys
    ]
    path.write_text(json.dumps({"keys": entries}))
    path.chmod(0o600)
    return path


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_encrypted_is_decrypted(plaintext: bytes, name: str) -> None:
    encryption = KeyEncryption([OLD])
    encrypted = encryption.encrypt(plaintext, name)
    assert encryption.decrypt(encrypted, name, "old") == plaintext
    assert encrypted != encryption.encrypt(plaintext, name)


def test_the_first_key_encrypts_and_the_others_still_decrypt() -> None:
    encrypted = KeyEncryption([OLD]).encrypt(b"private", "k1")
    rotated = KeyEncryption([NEW, OLD])
    assert rotated.key_id == "new"
    assert rotated.decrypt(encrypted, "k1", "old") == b"private"
    assert rotated.decrypt(rotated.encrypt(b"private", "k1"), "k1", "new") == b"private"


@pytest.mark.parametrize(
    ("change", "name", "key_id", "message"),
    [
        (lambda data: data, "k2", "old", "old has not encrypted it, or it was changed"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "k1", "old", "it was changed"),
        (lambda data: data[:11], "k1", "old", "it was changed"),
        (lambda data: b"", "k1", "old", "it was changed"),
        (lambda data: data, "k1", "new", "new has not encrypted it"),
        (lambda data: data, "k1", "other", "encrypted with other, which the key file lacks"),
    ],
)
def test_anything_else_is_not_decrypted(
    change: object, name: str, key_id: str, message: str
) -> None:
    encryption = KeyEncryption([OLD, NEW])
    encrypted = change(encryption.encrypt(b"private", "k1"))  # type: ignore[operator]
    with pytest.raises(UndecryptableKey, match=message):
        encryption.decrypt(encrypted, name, key_id)


def test_the_file_is_read_and_no_secret_is_shown(tmp_path: Path) -> None:
    encryption = read_key_file(write(tmp_path / "keys", NEW, OLD))
    assert repr(encryption) == "<KeyEncryption new, old>"
    assert repr(NEW) == "EncryptionKey(key_id='new')"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a JWK Set"),
        (b"[]", "is not a JWK Set"),
        (b"\xff", "is not a JWK Set"),
        (b"{}", "must be a JWK Set of 1 to 16 keys"),
        (b'{"keys": []}', "must be a JWK Set of 1 to 16 keys"),
        (b'{"keys": [1]}', "key 1: kty must be oct"),
        (b'{"keys": [{"kty": "EC"}]}', "key 1: kty must be oct"),
        (b'{"keys": [{"kty": "oct", "alg": "dir"}]}', "key 1: alg must be A256GCM"),
        (b'{"keys": [{"kty": "oct"}]}', "key 1: kid must be 1 to"),
        (b'{"keys": [{"kty": "oct", "kid": "a"}]}', "key 1: k must be 32 bytes"),
        (b'{"keys": [{"kty": "oct", "kid": "a", "k": "hunter2"}]}', "key 1: k must be 32 bytes"),
        (
            json.dumps({"keys": [{"kty": "oct", "kid": "a", "k": K}] * 2}).encode(),
            "has two keys of one kid",
        ),
    ],
)
def test_a_file_without_usable_keys_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InvalidKeyFile, match=message) as caught:
        parse_key_file(content)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "keys", NEW)
    path.chmod(0o644)
    with pytest.raises(UnreadableFile, match="0644"):
        read_key_file(path)
    assert os.access(path, os.R_OK)
