"""Strict parser for compact JWS (RFC 7515, section 3.1), which needs no key."""

from dataclasses import dataclass

from pydantic import JsonValue

from gateway.auth.jwt import base64url, strict_json
from gateway.errors.tree import Unauthenticated

MAX_KEY_ID_LENGTH = 256

_ACCESS_TOKEN_TYPES = frozenset({"jwt", "at+jwt"})

# Each of these header parameters changes what the signed bytes mean. The gateway supports none
# of them, and must refuse a token with one rather than misread it (RFC 7515, section 4.1.11).
# `jwk`, `jku`, `x5c` and `x5u` only offer a key: they are ignored.
_UNSUPPORTED_PARAMETERS = frozenset({"crit", "b64", "zip", "cty"})


@dataclass(frozen=True, slots=True)
class Jws:
    """A parsed token. Nothing in it is trusted until its signature has been verified."""

    algorithm: str
    key_id: str
    payload: dict[str, JsonValue]
    signing_input: bytes
    signature: bytes


def parse_jws(token: str) -> Jws:
    """Parse a token. The signature is decoded, not verified.

    Raises:
        Unauthenticated: the token is not a compact JWS, or its header is not that of an access
            token.
    """
    segments = token.split(".")
    if len(segments) != 3 or not all(segments):
        raise Unauthenticated("malformed")
    try:
        header, payload = (strict_json.parse_object(base64url.decode(s)) for s in segments[:2])
        signature = base64url.decode(segments[2])
    except ValueError:
        raise Unauthenticated("malformed") from None
    algorithm, key_id = _check_header(header)
    signing_input = token[: token.rindex(".")].encode("ascii")
    return Jws(algorithm, key_id, payload, signing_input, signature)


def _check_header(header: dict[str, JsonValue]) -> tuple[str, str]:
    """Check the protected header, and return its `alg` and `kid`."""
    if not _UNSUPPORTED_PARAMETERS.isdisjoint(header):
        raise Unauthenticated("unsupported_header")
    if "typ" in header and not _is_access_token_type(header["typ"]):
        raise Unauthenticated("wrong_type")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise Unauthenticated("invalid_alg")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID_LENGTH:
        raise Unauthenticated("invalid_kid")
    return algorithm, key_id


def _is_access_token_type(typ: JsonValue) -> bool:
    """Whether `typ` is that of an access token, by RFC 7515, section 4.1.9.

    The comparison ignores case, and the prefix `application/` is optional.
    """
    if not isinstance(typ, str):
        return False
    return typ.lower().removeprefix("application/") in _ACCESS_TOKEN_TYPES
