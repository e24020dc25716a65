"""Checks the claims of a JWT (RFC 7519, section 4; RFC 9068, section 2.2)."""

from collections.abc import Mapping

from pydantic import JsonValue

from gateway.auth.principal import SCOPE, Principal
from gateway.errors.tree import Unauthenticated
from gateway.settings.schema import Issuer

MAX_NAME_LENGTH = 255
_MAX_DATE = 253_402_300_800  # the year 10000, in seconds since the epoch; no date is later

Claims = Mapping[str, JsonValue]


def check_claims(claims: Claims, issuer: Issuer, now: float) -> Principal:
    """Check every claim that the gateway uses, and build the principal from them.

    `now` is in seconds since the epoch. The caller has already compared `iss` with `issuer`.

    Raises:
        Unauthenticated: a claim is missing, has the wrong type, or does not permit access.
    """
    expires_at = _check_times(claims, now, issuer.clock_skew_seconds)
    _check_audience(claims, issuer.audience)
    return Principal(
        issuer=issuer.issuer,
        subject=_read_name(claims, "sub"),
        scopes=_read_scopes(claims, issuer.scope_claim),
        user_id=_read_optional_name(claims, issuer.user_claim),
        service=_read_optional_name(claims, issuer.service_claim),
        tenant=_read_optional_name(claims, issuer.tenant_claim),
        expires_at=expires_at,
    )


def check_expiry(expires_at: float, now: float, skew: float) -> None:
    """Refuse the token from `expires_at` plus `skew` seconds on (RFC 7519, section 4.1.4).

    Raises:
        Unauthenticated: the token has expired.
    """
    if now >= expires_at + skew:
        raise Unauthenticated("expired")


def _check_times(claims: Claims, now: float, skew: float) -> float:
    expires_at = _read_date(claims, "exp")
    check_expiry(expires_at, now, skew)
    if "nbf" in claims and _read_date(claims, "nbf") > now + skew:
        raise Unauthenticated("not_yet_valid")
    if "iat" in claims and _read_date(claims, "iat") > now + skew:
        raise Unauthenticated("issued_in_the_future")
    return expires_at


def _read_date(claims: Claims, claim: str) -> float:
    value = claims.get(claim)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated(f"invalid_{claim}")
    if not 0 <= value < _MAX_DATE:
        raise Unauthenticated(f"invalid_{claim}")
    return float(value)


def _check_audience(claims: Claims, audience: str) -> None:
    value = claims.get("aud")
    audiences = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in audiences):
        raise Unauthenticated("invalid_aud")
    if audience not in audiences:
        raise Unauthenticated("wrong_audience")


def _read_optional_name(claims: Claims, claim: str) -> str | None:
    return _read_name(claims, claim) if claim and claim in claims else None


def _read_name(claims: Claims, claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_LENGTH:
        raise Unauthenticated(f"invalid_{claim}")
    if not value.isprintable():
        raise Unauthenticated(f"invalid_{claim}")
    return value


def _read_scopes(claims: Claims, claim: str) -> frozenset[str]:
    """Read a space-separated string (RFC 8693, section 4.2) or a list; `scp` is the fallback."""
    value = claims.get(claim, claims.get("scp", ""))
    scopes = [scope for scope in value.split(" ") if scope] if isinstance(value, str) else value
    if not isinstance(scopes, list):
        raise Unauthenticated("invalid_scope")
    valid = frozenset(s for s in scopes if isinstance(s, str) and SCOPE.fullmatch(s))
    if not all(isinstance(scope, str) and scope in valid for scope in scopes):
        raise Unauthenticated("invalid_scope")
    return valid
