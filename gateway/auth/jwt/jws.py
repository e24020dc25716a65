"""Compact JWS (RFC 7515, section 3.1), read strictly and without a key."""

from dataclasses import dataclass

from pydantic import JsonValue

from gateway.auth.jwt import base64url, strict_json
from gateway.errors.tree import Unauthenticated

MAX_KEY_ID = 256

_TYPES = frozenset({"jwt", "at+jwt"})

# Each of these changes what the signed bytes mean. Nobody here understands them, and to
# pass over them would be to read something other than what was signed (RFC 7515, 4.1.11).
# `jwk`, `jku`, `x5c` and `x5u` only offer a key, and are never followed.
_REFUSED = frozenset({"crit", "b64", "zip", "cty"})


@dataclass(frozen=True, slots=True)
class Jws:
    """A token taken apart; nothing in it is to be believed yet."""

    algorithm: str
    key_id: str
    payload: dict[str, JsonValue]
    signing_input: bytes
    signature: bytes


def parse(token: str) -> Jws:
    """Take a token apart.

    Raises:
        Unauthenticated: it is not a compact JWS of the kind access tokens are.
    """
    segments = token.split(".")
    if len(segments) != 3 or not all(segments):
        raise Unauthenticated("malformed")
    try:
        header, payload = (strict_json.parse_object(base64url.decode(s)) for s in segments[:2])
        signature = base64url.decode(segments[2])
    except ValueError:
        raise Unauthenticated("malformed") from None
    algorithm, key_id = _read_header(header)
    signing_input = token[: token.rindex(".")].encode("ascii")
    return Jws(algorithm, key_id, payload, signing_input, signature)


def _read_header(header: dict[str, JsonValue]) -> tuple[str, str]:
    if not _REFUSED.isdisjoint(header):
        raise Unauthenticated("unsupported_header")
    if "typ" in header and not _is_access_token(header["typ"]):
        raise Unauthenticated("wrong_type")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise Unauthenticated("invalid_alg")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID:
        raise Unauthenticated("invalid_kid")
    return algorithm, key_id


def _is_access_token(typ: JsonValue) -> bool:
    """Media types compare without case, and may drop `application/` (RFC 7515, 4.1.9)."""
    return isinstance(typ, str) and typ.lower().removeprefix("application/") in _TYPES
