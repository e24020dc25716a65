"""Strict parser for compact JWS (RFC 7515, section 3.1), which needs no key."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from gateway.auth.jwt import base64url, strict_json
from gateway.auth.jwt.malformed import explain_malformed
from gateway.auth.jwt.refusal import show, show_all
from gateway.errors.tree import Unauthenticated

MAX_KEY_ID_LENGTH = 256

_ACCESS_TOKEN_TYPES = frozenset({"jwt", "at+jwt"})

# Each of these header parameters changes what the signed bytes mean. The gateway supports none
# of them, and must refuse a token with one rather than misread it (RFC 7515, section 4.1.11).
# `jwk`, `jku`, `x5c` and `x5u` only offer a key: they are ignored.
UNSUPPORTED_PARAMETERS = frozenset({"crit", "b64", "zip", "cty"})


@dataclass(frozen=True, slots=True)
class Jws:
    """A parsed token. Nothing in it is trusted until its signature has been verified.

    `type` is the `typ` of the header in lower case and without `application/`, or "". `key_id` is
    None if the header has no `kid`, which is optional (RFC 7515, section 4.1.4).
    """

    algorithm: str
    key_id: str | None
    type: str
    payload: dict[str, JsonValue]
    signing_input: bytes
    signature: bytes
    has_nonce: bool = False
    """Whether the header has `nonce`, as in the tokens that Entra ID issues for Microsoft Graph."""


def parse_jws(token: str, types: Container[str] = _ACCESS_TOKEN_TYPES) -> Jws:
    """Parse a token. The signature is decoded, not verified.

    Raises:
        Unauthenticated: the token is not a compact JWS, or the `typ` of its header is not one of
            `types`, which are those of access tokens.
    """
    segments = token.split(".")
    if len(segments) != 3 or not all(segments):
        raise Unauthenticated("malformed", _describe_segments(segments))
    try:
        header, payload = (strict_json.parse_object(base64url.decode(s)) for s in segments[:2])
        signature = base64url.decode(segments[2])
    except ValueError:
        raise Unauthenticated("malformed", explain_malformed(token)) from None
    signing_input = token[: token.rindex(".")].encode("ascii")
    return Jws(*_check_header(header, types), payload, signing_input, signature, "nonce" in header)


def _check_header(
    header: dict[str, JsonValue], types: Container[str]
) -> tuple[str, str | None, str]:
    """Check the protected header, and return its `alg`, `kid` and `typ`."""
    if unsupported := UNSUPPORTED_PARAMETERS.intersection(header):
        raise Unauthenticated("unsupported_header", f"it has {show_all(sorted(unsupported))}")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise Unauthenticated("invalid_alg", f"alg is {show(algorithm)}; it must be a string")
    if "kid" in header and not _is_key_id(key_id):
        hint = f"it must be a string of 1 to {MAX_KEY_ID_LENGTH} characters"
        raise Unauthenticated("invalid_kid", f"kid is {show(key_id)}; {hint}")
    return algorithm, key_id if isinstance(key_id, str) else None, _read_type(header, types)


def _is_key_id(key_id: JsonValue) -> bool:
    return isinstance(key_id, str) and 0 < len(key_id) <= MAX_KEY_ID_LENGTH


def _read_type(header: dict[str, JsonValue], types: Container[str]) -> str:
    """Read `typ` as RFC 7515, section 4.1.9 says.

    The comparison ignores case, and the prefix `application/` is optional.
    """
    if "typ" not in header:
        return ""
    typ = header["typ"]
    name = typ.lower().removeprefix("application/") if isinstance(typ, str) else None
    if name is None or name not in types:
        raise Unauthenticated("wrong_type", f"typ of the header is {show(typ)}")
    return name


def _describe_segments(segments: Sequence[str]) -> str:
    count = len(segments)
    if count == 5:
        return "it is encrypted (JWE): tell the provider to sign access tokens without encryption"
    if count < 3:
        return "it is not a JWT but an opaque token: tell the provider to issue JWTs for this API"
    if count > 3:
        return f"it has {count} segments separated by dots; a signed JWT has 3"
    names = ("header", "payload", "signature")
    empty = [name for name, segment in zip(names, segments, strict=True) if not segment]
    return f"the {empty[0]} is empty"
