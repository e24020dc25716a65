"""Parses one JWK (RFC 7517, section 4): a public key, and the algorithms that it may verify."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import JsonValue

from gateway.auth.jwks.key_strength import check_strength
from gateway.auth.jwt import base64url, signatures
from gateway.auth.jwt.jws import MAX_KEY_ID_LENGTH
from gateway.auth.jwt.refusal import show
from gateway.auth.jwt.signatures import Key
from gateway.settings.issuer_types import TENANT_PLACEHOLDER, get_canonical_algorithm

_RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVE_ALGORITHMS = {
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
    ("EC", "P-521"): "ES512",
    ("OKP", "Ed25519"): "EdDSA",
}
_PUBLIC_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")

Members = Mapping[str, JsonValue]


class UnusableKey(ValueError):
    """A JWK that verifies no signature; the message says why.

    `is_intended` is false for a key that is meant for something else, such as encryption.
    """

    def __init__(self, reason: str, *, is_intended: bool = True) -> None:
        super().__init__(reason)
        self.is_intended = is_intended


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key, prepared for each algorithm that it may verify.

    `key_id` is "" for a key without `kid`, which is optional. `issuer` is the member that Microsoft
    Entra ID adds; it may contain `{tenantid}`.
    """

    key_id: str
    issuer: str | None
    public_members: Mapping[str, str]
    by_algorithm: Mapping[str, Key]

    def belongs_to(self, tenant: str | None) -> bool:
        """Whether the key may sign tokens of that tenant of Entra ID; any key, if it is None."""
        if tenant is None or self.issuer is None:
            return True
        return tenant in self.issuer.replace(TENANT_PLACEHOLDER, tenant).split("/")


def parse_jwk(entry: JsonValue, allowed: Sequence[str]) -> VerificationKey:
    """Parse a JWK and prepare it for those of the `allowed` algorithms that it may verify.

    A member that is null counts as absent.

    Raises:
        UnusableKey: the key is not one for signatures, malformed or weak.
    """
    if not isinstance(entry, dict):
        raise UnusableKey("not a JSON object")
    entry = {name: value for name, value in entry.items() if value is not None}
    _check_purpose(entry)
    try:
        members = _read_public_members(entry)
        algorithms = _select_algorithms(entry, members, allowed)
        check_strength(members)
    except UnusableKey:
        raise
    except ValueError as error:
        raise UnusableKey(str(error)) from None
    issuer = entry.get("issuer")
    return VerificationKey(
        key_id=_read_key_id(entry),
        issuer=issuer if isinstance(issuer, str) else None,
        public_members=MappingProxyType(members),
        by_algorithm=MappingProxyType({name: _construct(members, name) for name in algorithms}),
    )


def compute_jwk_thumbprint(public_members: Mapping[str, str]) -> str:
    """Return the SHA-256 thumbprint of a key (RFC 7638, section 3), from its required members."""
    canonical = json.dumps(dict(public_members), separators=(",", ":"), sort_keys=True)
    return base64url.encode(hashlib.sha256(canonical.encode()).digest())


def _read_key_id(entry: Members) -> str:
    """Read the optional `kid`: "" if there is none."""
    if "kid" not in entry:
        return ""
    key_id = entry["kid"]
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID_LENGTH:
        raise UnusableKey(f"kid is not a string of 1 to {MAX_KEY_ID_LENGTH} characters")
    return key_id


def _check_purpose(entry: Members) -> None:
    """Require a public key for signatures.

    `use` and `key_ops` are optional (RFC 7517, sections 4.2 and 4.3).
    """
    if (use := entry.get("use", "sig")) != "sig":
        raise UnusableKey(f"use is {show(use)}, not sig", is_intended=False)
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKey(f"key_ops is {show(operations)}, without verify", is_intended=False)
    if private := [name for name in _PRIVATE_MEMBERS if name in entry]:
        raise UnusableKey(f"it is not public: it has the private member {private[0]}")


def _read_public_members(entry: Members) -> dict[str, str]:
    """Return the members that make the public key."""
    kty = entry.get("kty")
    names = _PUBLIC_MEMBERS.get(kty) if isinstance(kty, str) else None
    if names is None:
        raise UnusableKey(f"kty is {show(kty)}; it must be RSA, EC or OKP")
    members = {"kty": str(kty)}
    for name in names:
        value = entry.get(name)
        if not isinstance(value, str):
            hint = "; x5c alone is not enough" if "x5c" in entry else ""
            raise UnusableKey(f"{name} is missing or not a string{hint}")
        # Some providers pad numbers, against RFC 7515, section 2; operators cannot change that.
        members[name] = value if name == "crv" else value.rstrip("=")
    return members


def _select_algorithms(
    entry: Members, members: Mapping[str, str], allowed: Sequence[str]
) -> list[str]:
    """Select the algorithms of the key's type that its `alg` and the issuer's settings permit."""
    supported = list(_RSA_ALGORITHMS)
    if members["kty"] != "RSA":
        algorithm = _CURVE_ALGORITHMS.get((members["kty"], members["crv"]))
        if algorithm is None:
            raise UnusableKey(f"crv is {show(members['crv'])}, which is not supported")
        supported = [algorithm]
    if "alg" in entry:
        alg = entry["alg"]
        declared = get_canonical_algorithm(alg) if isinstance(alg, str) else None
        supported = [name for name in supported if name == declared]
        if not supported:
            raise UnusableKey(f"alg is {show(alg)}, no signature of a key of its type")
    selected = [name for name in supported if name in allowed]
    if not selected:
        reason = f"its algorithms ({', '.join(supported)}) are not in algorithms of the issuer"
        raise UnusableKey(reason, is_intended=False)
    return selected


def _construct(members: Mapping[str, str], algorithm: str) -> Key:
    try:
        return signatures.construct_key(members, algorithm)
    except ValueError:
        if members["kty"] == "EC":
            raise UnusableKey(f"x and y are not a point of the curve {members['crv']}") from None
        raise UnusableKey(f"it makes no {members['kty']} key") from None
