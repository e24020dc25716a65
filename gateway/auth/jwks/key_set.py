"""Parses JWK Sets (RFC 7517): which keys of an issuer may verify which algorithms."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import JsonValue

from gateway.auth.jwt import base64url, signatures, strict_json
from gateway.auth.jwt.jws import MAX_KEY_ID_LENGTH
from gateway.auth.jwt.signatures import Key

MAX_DOCUMENT_BYTES = 524_288
MAX_KEYS = 100

_RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVE_ALGORITHMS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
_PUBLIC_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

# Points of order 1, 2, 4 and 8, without their sign bit. Anybody can forge a signature for such a
# key, and verification as RFC 8032 defines it (section 5.1.7) accepts the forgery.
_SMALL_ORDER_POINTS = frozenset(
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


class NoUsableKey(ValueError):
    """A JWK Set has no key that may verify a signature."""


def get_canonical_algorithm(algorithm: str) -> str:
    """Return one name per algorithm: "Ed25519" (RFC 9864) becomes "EdDSA".

    The gateway supports no other curve for EdDSA, so the two names mean the same.
    """
    return "EdDSA" if algorithm == "Ed25519" else algorithm


@dataclass(frozen=True, slots=True)
class KeySet:
    """Prepared keys, by key id and algorithm. Two sets are equal if their keys are."""

    fingerprint: str = ""
    ids: frozenset[str] = frozenset()
    by_id_and_algorithm: Mapping[tuple[str, str], Key] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )

    def find(self, key_id: str, algorithm: str) -> Key | None:
        """Return the key with that id if it may verify that algorithm."""
        return self.by_id_and_algorithm.get((key_id, get_canonical_algorithm(algorithm)))


def parse_key_set(document: bytes, allowed: Sequence[str]) -> KeySet:
    """Parse a JWK Set, and skip every key that cannot verify one of the `allowed` algorithms.

    Raises:
        ValueError: the document is not a JWK Set, or has more than `MAX_KEYS` keys.
        NoUsableKey: no key can verify one of these algorithms.
    """
    entries = strict_json.parse_object(document).get("keys")
    if not isinstance(entries, list):
        # Not a TypeError: callers catch one error for all unreadable input.
        raise ValueError("not a JWK Set: it has no list `keys`")  # noqa: TRY004
    if len(entries) > MAX_KEYS:
        raise ValueError(f"more than {MAX_KEYS} keys in the JWK Set: {len(entries)}")
    candidates = [
        entry for entry in entries if isinstance(entry, dict) and _is_verification_key(entry)
    ]
    id_counts = Counter(entry["kid"] for entry in candidates)
    # A duplicate key id is ambiguous: neither of the two keys is used.
    unique = [entry for entry in candidates if id_counts[entry["kid"]] == 1]
    prepared = [key for entry in unique for key in _prepare_keys(entry, allowed)]
    if not prepared:
        raise NoUsableKey("no usable key in the JWK Set")
    return _build_key_set(prepared)


@dataclass(frozen=True, slots=True)
class _PreparedKey:
    """A key for one algorithm; a JWK without `alg` gives several of them."""

    key_id: str
    algorithm: str
    public_members: Mapping[str, str]
    key: Key


def _build_key_set(keys: Sequence[_PreparedKey]) -> KeySet:
    content = sorted((k.key_id, k.algorithm, sorted(k.public_members.items())) for k in keys)
    return KeySet(
        fingerprint=hashlib.sha256(json.dumps(content).encode()).hexdigest(),
        ids=frozenset(k.key_id for k in keys),
        by_id_and_algorithm=MappingProxyType({(k.key_id, k.algorithm): k.key for k in keys}),
    )


def _is_verification_key(entry: Mapping[str, JsonValue]) -> bool:
    """Whether the JWK is public, has an id, and may verify signatures.

    `use` and `key_ops` are optional (RFC 7517, sections 4.2 and 4.3).
    """
    key_id, operations = entry.get("kid"), entry.get("key_ops", ["verify"])
    return (
        isinstance(key_id, str)
        and 0 < len(key_id) <= MAX_KEY_ID_LENGTH
        and entry.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and _PRIVATE_MEMBERS.isdisjoint(entry)
    )


def _prepare_keys(entry: Mapping[str, JsonValue], allowed: Sequence[str]) -> Iterator[_PreparedKey]:
    """Prepare the key once per algorithm it may verify; a malformed or weak key gives none."""
    try:
        public_members = _read_public_members(entry)
        for algorithm in _select_algorithms(entry, public_members, allowed):
            key = signatures.construct_key(public_members, algorithm)
            yield _PreparedKey(str(entry["kid"]), algorithm, public_members, key)
    except ValueError:
        return


def _read_public_members(entry: Mapping[str, JsonValue]) -> dict[str, str]:
    """Return the members that make the public key, after checks of its size and strength."""
    kty = entry.get("kty")
    names = _PUBLIC_MEMBERS.get(kty) if isinstance(kty, str) else None
    if names is None:
        raise ValueError("unknown kty")
    members = {name: entry.get(name) for name in ("kty", *names)}
    texts = {name: value for name, value in members.items() if isinstance(value, str)}
    if texts.keys() != members.keys():
        raise ValueError("a member is missing or not a string")
    if kty == "RSA":
        _check_rsa_key(texts)
    if kty == "OKP":
        _check_ed25519_point(texts)
    return texts


def _check_rsa_key(members: Mapping[str, str]) -> None:
    """Require 2048 bits or more (RFC 7518, 3.3), and at most 8192 to bound the time to verify."""
    modulus, exponent = (int.from_bytes(base64url.decode(members[name])) for name in ("n", "e"))
    if not 2_048 <= modulus.bit_length() <= 8_192:
        raise ValueError("RSA modulus shorter than 2048 or longer than 8192 bits")
    if not 65_537 <= exponent < 2**32 or exponent % 2 == 0:
        raise ValueError("RSA exponent even, below 65537, or longer than 32 bits")


def _check_ed25519_point(members: Mapping[str, str]) -> None:
    point = base64url.decode(members["x"])
    if len(point) != 32 or point[:31] + bytes([point[31] & 0x7F]) in _SMALL_ORDER_POINTS:
        raise ValueError("not an Ed25519 point of full order")


def _select_algorithms(
    entry: Mapping[str, JsonValue], members: Mapping[str, str], allowed: Sequence[str]
) -> list[str]:
    """Select the algorithms of the key's type that its `alg` and the issuer's settings permit."""
    supported: Sequence[str] = (
        _RSA_ALGORITHMS if members["kty"] == "RSA" else _curve_algorithms(members)
    )
    if "alg" in entry:
        alg = entry["alg"]
        declared = get_canonical_algorithm(alg) if isinstance(alg, str) else None
        supported = [name for name in supported if name == declared]
    return [name for name in supported if name in allowed]


def _curve_algorithms(members: Mapping[str, str]) -> list[str]:
    algorithm = _CURVE_ALGORITHMS.get(members["crv"])
    if algorithm is None or (algorithm == "EdDSA") != (members["kty"] == "OKP"):
        return []
    return [algorithm]
