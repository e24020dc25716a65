"""Checks that a public key is strong enough: RSA moduli and exponents, and points on curves."""

from collections.abc import Mapping

from gateway.auth.jwks.roca import has_roca_fingerprint
from gateway.auth.jwt import base64url

_MIN_RSA_BITS, _MAX_RSA_BITS = 2_048, 8_192

# Points of order 1, 2, 4 and 8, without their sign bit. Anybody can forge a signature for such a
# key, and verification as RFC 8032 defines it (section 5.1.7) accepts the forgery.
SMALL_ORDER_POINTS = frozenset(
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


def check_strength(members: Mapping[str, str]) -> None:
    """Check the public members of a JWK.

    Raises:
        ValueError: the key is weak or malformed; the message says how.
    """
    if members["kty"] == "RSA":
        _check_rsa_key(_decode_integer(members, "n"), _decode_integer(members, "e"))
    elif members["kty"] == "OKP":
        _check_ed25519_point(_decode(members, "x"))


def _check_rsa_key(modulus: int, exponent: int) -> None:
    """Require 2048 bits or more (RFC 7518, 3.3), and at most 8192 to bound the time to verify."""
    bits = modulus.bit_length()
    if not _MIN_RSA_BITS <= bits <= _MAX_RSA_BITS:
        raise ValueError(f"RSA with {bits} bits; it must have {_MIN_RSA_BITS} to {_MAX_RSA_BITS}")
    if modulus % 2 == 0:
        raise ValueError("RSA with an even modulus")
    if exponent % 2 == 0:
        raise ValueError("RSA with an even exponent")
    if not 65_537 <= exponent < 2**32:
        raise ValueError("RSA with an exponent below 65537 or longer than 32 bits")
    if has_roca_fingerprint(modulus):
        raise ValueError("RSA with the ROCA weakness (CVE-2017-15361); replace the key")


def _check_ed25519_point(point: bytes) -> None:
    if len(point) != 32:
        raise ValueError(f"Ed25519 with {len(point)} bytes; it must have 32")
    if point[:31] + bytes([point[31] & 0x7F]) in SMALL_ORDER_POINTS:
        raise ValueError("Ed25519 with a point of small order")


def _decode_integer(members: Mapping[str, str], name: str) -> int:
    return int.from_bytes(_decode(members, name))


def _decode(members: Mapping[str, str], name: str) -> bytes:
    try:
        return base64url.decode(members[name])
    except ValueError:
        raise ValueError(f"{name} is not base64url") from None
