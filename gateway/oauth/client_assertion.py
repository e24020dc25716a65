"""Parses a client assertion (RFC 7523) and checks its claims, before `assertion_verifier.py`.

The method of the client is `private_key_jwt`; the claims are those of RFC 7523, section 3.

`aud` must be the issuer of the gateway, alone, as draft-ietf-oauth-rfc7523bis requires: an
assertion for several servers could be sent on by the first of them that receives it.
"""

from dataclasses import dataclass
from typing import TypeGuard

from pydantic import JsonValue

from gateway.auth.jwt.jws import Jws, parse_jws
from gateway.auth.jwt.numeric_date import is_numeric_date
from gateway.auth.jwt.refusal import show
from gateway.errors.tree import Unauthenticated
from gateway.oauth.oauth_errors import InvalidClient

MAX_SECONDS = 300
"""How far `exp` may be ahead: so long a used `jti` must be remembered."""

CLOCK_SKEW_SECONDS = 5

_TYPES = frozenset({"jwt", "client-authentication+jwt"})
_MAX_BYTES = 8_192
_MAX_ID_LENGTH = 256


@dataclass(frozen=True, slots=True)
class ClientAssertion:
    """A parsed assertion. Nothing in it is trusted until its signature has been verified.

    `expires_at` is in seconds since the epoch.
    """

    jws: Jws
    client_id: str
    id: str
    expires_at: float


def parse_assertion(text: str, issuer: str, now: float) -> ClientAssertion:
    """Parse an assertion for the gateway, whose name is `issuer`; `now` is since the epoch.

    Raises:
        InvalidClient: it is malformed, or a claim is not that of an assertion for this gateway.
    """
    if len(text) > _MAX_BYTES:
        raise InvalidClient(f"the assertion has {len(text)} bytes; {_MAX_BYTES} are allowed")
    try:
        jws = parse_jws(text, _TYPES)
    except Unauthenticated as error:
        raise InvalidClient(f"the assertion: {error.explanation or error.reason}") from None
    claims = jws.payload
    client_id = claims.get("sub")
    if not _is_id(client_id) or claims.get("iss") != client_id:
        raise InvalidClient("the assertion: iss and sub are not the id of one client")
    if claims.get("aud") not in (issuer, [issuer]):
        raise InvalidClient(f"the assertion: aud is {show(claims.get('aud'))}, not {issuer} alone")
    if not _is_id(claims.get("jti")):
        raise InvalidClient(f"the assertion: jti is no text of 1 to {_MAX_ID_LENGTH} characters")
    expires_at = _read_expiry(claims, now)
    return ClientAssertion(jws, client_id, str(claims["jti"]), expires_at)


def _read_expiry(claims: dict[str, JsonValue], now: float) -> float:
    """Return `exp`, after a check of all times."""
    expires_at = claims.get("exp")
    if not is_numeric_date(expires_at):
        raise InvalidClient("the assertion: exp is missing or not a number")
    if now >= expires_at + CLOCK_SKEW_SECONDS:
        raise InvalidClient(f"the assertion: exp was {now - expires_at:.0f} s ago")
    if expires_at > now + MAX_SECONDS + CLOCK_SKEW_SECONDS:
        raise InvalidClient(f"the assertion: exp is more than {MAX_SECONDS} s ahead")
    for name in ("nbf", "iat"):
        begins_at = claims.get(name)
        if begins_at is None:
            continue
        if not is_numeric_date(begins_at) or begins_at > now + CLOCK_SKEW_SECONDS:
            raise InvalidClient(f"the assertion: {name} is in the future or not a number")
    return float(expires_at)


def _is_id(value: JsonValue) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID_LENGTH
