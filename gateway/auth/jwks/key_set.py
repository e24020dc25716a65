"""JWK Sets (RFC 7517): which keys of a provider may verify which algorithms."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from jose.backends.base import Key
from pydantic import JsonValue

from gateway.auth.jwt import base64url, signatures, strict_json
from gateway.auth.jwt.jws import MAX_KEY_ID

MAX_BYTES = 524_288
MAX_KEYS = 100

_RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

# Points of order 1, 2, 4 and 8 without their sign bit: for such a key anybody can make a
# signature, and verifying as RFC 8032 has it (section 5.1.7) does not notice.
_SMALL_ORDER = frozenset(
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


def canonical(algorithm: str) -> str:
    """One name per algorithm: "Ed25519" (RFC 9864) is "EdDSA" on the only curve in use here."""
    return "EdDSA" if algorithm == "Ed25519" else algorithm


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys ready for use. Two sets are equal when they hold the same keys."""

    fingerprint: str = ""
    ids: frozenset[str] = frozenset()
    by_use: Mapping[tuple[str, str], Key] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )

    def find(self, key_id: str, algorithm: str) -> Key | None:
        """The key of that id, if it may verify that algorithm."""
        return self.by_use.get((key_id, canonical(algorithm)))


def read(document: bytes, allowed: Sequence[str]) -> KeySet:
    """Read a JWK Set, passing over every key that is not fit to verify `allowed` algorithms.

    Raises:
        ValueError: not a JWK Set, too large a one, or without any usable key.
    """
    entries = strict_json.parse_object(document).get("keys")
    if not isinstance(entries, list):
        raise ValueError("not a JWK Set")  # noqa: TRY004 - one error for everything unreadable
    if len(entries) > MAX_KEYS:
        raise ValueError(f"more than {MAX_KEYS} keys")
    fit = [entry for entry in entries if isinstance(entry, dict) and _is_for_verifying(entry)]
    seen = Counter(entry["kid"] for entry in fit)
    # Of two keys of one name, nobody can say which was meant: neither is used.
    prepared = [use for entry in fit if seen[entry["kid"]] == 1 for use in _prepare(entry, allowed)]
    if not prepared:
        raise ValueError("no usable key")
    return _key_set(prepared)


@dataclass(frozen=True, slots=True)
class _Use:
    key_id: str
    algorithm: str
    public: Mapping[str, str]
    key: Key


def _key_set(uses: Sequence[_Use]) -> KeySet:
    public = sorted((use.key_id, use.algorithm, sorted(use.public.items())) for use in uses)
    return KeySet(
        fingerprint=hashlib.sha256(json.dumps(public).encode()).hexdigest(),
        ids=frozenset(use.key_id for use in uses),
        by_use=MappingProxyType({(use.key_id, use.algorithm): use.key for use in uses}),
    )


def _is_for_verifying(entry: Mapping[str, JsonValue]) -> bool:
    """Public, named, and not kept for something else (RFC 7517, sections 4.2 and 4.3)."""
    key_id, operations = entry.get("kid"), entry.get("key_ops", ["verify"])
    return (
        isinstance(key_id, str)
        and 0 < len(key_id) <= MAX_KEY_ID
        and entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and _PRIVATE.isdisjoint(entry)
    )


def _prepare(entry: Mapping[str, JsonValue], allowed: Sequence[str]) -> Iterator[_Use]:
    """The key once per algorithm it may verify; nothing if it is malformed or weak."""
    try:
        public = _public_members(entry)
        for algorithm in _algorithms(entry, public, allowed):
            key = signatures.prepare(public, algorithm)
            yield _Use(str(entry["kid"]), algorithm, public, key)
    except ValueError:
        return


def _public_members(entry: Mapping[str, JsonValue]) -> dict[str, str]:
    kty = entry.get("kty")
    names = _MEMBERS.get(kty) if isinstance(kty, str) else None
    if names is None:
        raise ValueError("unknown kty")
    public = {name: entry.get(name) for name in ("kty", *names)}
    texts = {name: value for name, value in public.items() if isinstance(value, str)}
    if texts.keys() != public.keys():
        raise ValueError("a member is missing")
    if kty == "RSA":
        _check_rsa(texts)
    if kty == "OKP":
        _check_okp(texts)
    return texts


def _check_rsa(public: Mapping[str, str]) -> None:
    """At least 2048 bits (RFC 7518, section 3.3); at most what can be verified quickly."""
    modulus, exponent = (int.from_bytes(base64url.decode(public[name])) for name in ("n", "e"))
    if not 2_048 <= modulus.bit_length() <= 8_192:
        raise ValueError("RSA modulus too short or too long")
    if not 65_537 <= exponent < 2**32 or exponent % 2 == 0:
        raise ValueError("RSA exponent out of range")


def _check_okp(public: Mapping[str, str]) -> None:
    point = base64url.decode(public["x"])
    if len(point) != 32 or point[:31] + bytes([point[31] & 0x7F]) in _SMALL_ORDER:
        raise ValueError("not a point of full order")


def _algorithms(
    entry: Mapping[str, JsonValue], public: Mapping[str, str], allowed: Sequence[str]
) -> list[str]:
    """What the key's type can do, its own `alg` says, and the issuer is allowed."""
    able: Sequence[str] = _RSA_ALGORITHMS if public["kty"] == "RSA" else _of_curve(public)
    if "alg" in entry:
        own = entry["alg"]
        able = [name for name in able if isinstance(own, str) and name == canonical(own)]
    return [name for name in able if name in allowed]


def _of_curve(public: Mapping[str, str]) -> list[str]:
    algorithm = _CURVES.get(public["crv"])
    fits = algorithm is not None and (algorithm == "EdDSA") == (public["kty"] == "OKP")
    return [algorithm] if algorithm and fits else []
