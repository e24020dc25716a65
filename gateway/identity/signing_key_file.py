"""Reads the private keys of `identity.signing_key_file`: a JWK Set (RFC 7517, section 5).

Each key has its time of creation as `iat`, in seconds since the epoch, as in the historical keys of
OpenID Federation 1.0 (section 8.7.2). No message quotes the value of a member that may be private.
"""

from collections.abc import Mapping
from json import JSONDecodeError
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import JsonValue

from gateway.auth.jwt import base64url, strict_json
from gateway.auth.jwt.jws import MAX_KEY_ID_LENGTH
from gateway.auth.jwt.refusal import show
from gateway.identity.key_document import read_key_document
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key import (
    PrivateKey,
    SigningKey,
    build_public_members,
    compute_thumbprint,
    get_algorithm,
)

MAX_KEYS = 16

_MAX_DATE = 253_402_300_800  # the year 10000, in seconds since the epoch
_PRIVATE_BYTES = 32

Members = Mapping[str, JsonValue]


class InvalidSigningKeys(ValueError):
    """The file has no usable signing keys; the message says why, without the path."""


def read_signing_keys(path: Path, *, of_any_owner: bool = False) -> SigningKeys:
    """Read the keys. Blocks.

    `of_any_owner` is for root, who rotates or lists the keys of the user of the gateway.

    Raises:
        UnreadableFile: the file cannot be read, or other users can use it.
        InvalidSigningKeys: it is not a JWK Set of private keys of the two kinds.
    """
    return parse_signing_keys(read_key_document(path, of_any_owner=of_any_owner))


def parse_signing_keys(document: bytes) -> SigningKeys:
    """Parse the content of the file.

    Raises:
        InvalidSigningKeys: it is not a JWK Set of private keys of the two kinds.
    """
    entries = _parse_entries(document)
    keys = list[SigningKey]()
    for number, entry in enumerate(entries, 1):
        try:
            keys.append(_parse_key(entry, is_only=len(entries) == 1))
        except ValueError as error:
            raise InvalidSigningKeys(f"key {number}: {error}") from None
    ids = [key.key_id for key in keys]
    if twice := [key_id for key_id in ids if ids.count(key_id) > 1]:
        raise InvalidSigningKeys(f"two keys have the kid {show(twice[0])}")
    return SigningKeys(keys)


def _parse_entries(document: bytes) -> list[JsonValue]:
    if document.lstrip().startswith(b"-----BEGIN "):
        raise InvalidSigningKeys("is PEM; it must be a JWK Set, which is JSON")
    try:
        parsed = strict_json.parse_object(document)
    except (JSONDecodeError, UnicodeDecodeError):
        # Without its cause, which holds the document.
        raise InvalidSigningKeys("is not JSON") from None
    except ValueError as error:
        raise InvalidSigningKeys(f"is refused: {error}") from None
    entries = parsed.get("keys")
    if not isinstance(entries, list):
        hint = "; it is one JWK, which must be put into such a list" if "kty" in parsed else ""
        raise InvalidSigningKeys(f"is not a JWK Set: it has no list `keys`{hint}")
    if not 1 <= len(entries) <= MAX_KEYS:
        raise InvalidSigningKeys(f"has {len(entries)} keys; it must have 1 to {MAX_KEYS}")
    return entries


def _parse_key(entry: JsonValue, *, is_only: bool) -> SigningKey:
    if not isinstance(entry, dict):
        # Not a TypeError: callers catch one error for all unreadable input.
        raise ValueError("not a JSON object")  # noqa: TRY004
    private = parse_private_key(entry)
    public = build_public_members(private)
    if any(entry.get(name, value) != value for name, value in public.items()):
        raise ValueError("its public members do not fit its private member d")
    if (use := entry.get("use", "sig")) != "sig":
        raise ValueError(f"use is {show(use)}; it must be sig")
    if (alg := entry.get("alg", get_algorithm(private))) != get_algorithm(private):
        raise ValueError(f"alg is {show(alg)}; of a key of its kind it is {get_algorithm(private)}")
    key_id = entry.get("kid", compute_thumbprint(private))
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID_LENGTH:
        raise ValueError(f"kid must be a string of 1 to {MAX_KEY_ID_LENGTH} characters")
    return SigningKey(key_id, _read_creation(entry, is_only=is_only), private)


def parse_private_key(entry: Members) -> PrivateKey:
    """Parse the private members of a JWK.

    Raises:
        ValueError: it is not a private key of the two kinds.
    """
    kty, crv = entry.get("kty"), entry.get("crv")
    is_ed25519 = kty == "OKP" and crv == "Ed25519"
    if not is_ed25519 and not (kty == "EC" and crv == "P-256"):
        curve = f" with crv {show(crv)}" if crv is not None else ""
        raise ValueError(
            f"kty is {show(kty)}{curve}; it must be EC with crv P-256, or OKP with crv Ed25519"
        )
    secret = _decode_secret(entry)
    if is_ed25519:
        return Ed25519PrivateKey.from_private_bytes(secret)
    try:
        return ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1())
    except ValueError:
        raise ValueError("d is not a private key of P-256") from None


def _decode_secret(entry: Members) -> bytes:
    value = entry.get("d")
    if value is None:
        raise ValueError("it has no private member d: with a public key, nothing can be signed")
    try:
        secret = base64url.decode(value) if isinstance(value, str) else b""
    except ValueError:
        secret = b""
    if len(secret) != _PRIVATE_BYTES:
        raise ValueError(f"d is not {_PRIVATE_BYTES} bytes in base64url")
    return secret


def _read_creation(entry: Members, *, is_only: bool) -> float:
    """Read the time of creation, which the order of several keys depends on."""
    value = entry.get("iat", 0 if is_only else None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = "iat must be the time of its creation, in seconds since 1970"
        raise ValueError(message)  # noqa: TRY004 - as above
    if not 0 <= value < _MAX_DATE:
        raise ValueError("iat is not a date, in seconds since 1970")
    return value
