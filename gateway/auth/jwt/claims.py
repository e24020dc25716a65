"""What a token must say to be believed (RFC 7519, section 4; RFC 9068, section 2.2)."""

from collections.abc import Mapping

from pydantic import JsonValue

from gateway.auth.principal import SCOPE, Principal
from gateway.errors.tree import Unauthenticated
from gateway.settings.schema import Issuer

MAX_NAME = 255
_END_OF_TIME = 253_402_300_800  # the year 10000; beyond it, dates stop being dates

Claims = Mapping[str, JsonValue]


def read(claims: Claims, issuer: Issuer, now: float) -> Principal:
    """Check every claim and say who is calling; `now` is in seconds since the epoch.

    Raises:
        Unauthenticated: a claim is missing, of the wrong type, or says no.
    """
    expires_at = _check_times(claims, now, issuer.clock_skew_seconds)
    _check_audience(claims, issuer.audience)
    return Principal(
        issuer=issuer.issuer,
        subject=_required_name(claims, "sub"),
        scopes=_scopes(claims, issuer.scope_claim),
        user_id=_name(claims, issuer.user_claim),
        service=_name(claims, issuer.service_claim),
        tenant=_name(claims, issuer.tenant_claim),
        expires_at=expires_at,
    )


def check_expiry(expires_at: float, now: float, skew: float) -> None:
    """Refuse from the very second of `exp` on, give or take the skew (RFC 7519, 4.1.4).

    Raises:
        Unauthenticated: the token has expired.
    """
    if now >= expires_at + skew:
        raise Unauthenticated("expired")


def _check_times(claims: Claims, now: float, skew: float) -> float:
    expires_at = _date(claims, "exp")
    check_expiry(expires_at, now, skew)
    if "nbf" in claims and _date(claims, "nbf") > now + skew:
        raise Unauthenticated("not_yet_valid")
    if "iat" in claims and _date(claims, "iat") > now + skew:
        raise Unauthenticated("issued_in_the_future")
    return expires_at


def _date(claims: Claims, claim: str) -> float:
    value = claims.get(claim)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated(f"invalid_{claim}")
    if not 0 <= value < _END_OF_TIME:
        raise Unauthenticated(f"invalid_{claim}")
    return float(value)


def _check_audience(claims: Claims, audience: str) -> None:
    value = claims.get("aud")
    audiences = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in audiences):
        raise Unauthenticated("invalid_aud")
    if audience not in audiences:
        raise Unauthenticated("wrong_audience")


def _name(claims: Claims, claim: str) -> str | None:
    return _required_name(claims, claim) if claim and claim in claims else None


def _required_name(claims: Claims, claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
        raise Unauthenticated(f"invalid_{claim}")
    return value


def _scopes(claims: Claims, claim: str) -> frozenset[str]:
    """A space-separated string (RFC 8693, section 4.2) or a list; also under `scp`."""
    value = claims.get(claim, claims.get("scp", ""))
    scopes = [scope for scope in value.split(" ") if scope] if isinstance(value, str) else value
    if not isinstance(scopes, list):
        raise Unauthenticated("invalid_scope")
    names = frozenset(s for s in scopes if isinstance(s, str) and SCOPE.fullmatch(s))
    if not all(isinstance(scope, str) and scope in names for scope in scopes):
        raise Unauthenticated("invalid_scope")
    return names
