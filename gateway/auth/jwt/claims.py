"""Checks the claims of a JWT (RFC 7519, section 4; RFC 9068, section 2.2)."""

from collections.abc import Collection

from pydantic import JsonValue

from gateway.auth.jwt.actors import list_actors, list_clients
from gateway.auth.jwt.audience import check_audience
from gateway.auth.jwt.claim_path import Claims, compile_claim_path
from gateway.auth.jwt.confirmation import read_key_thumbprint
from gateway.auth.jwt.ids import read_id, read_ids
from gateway.auth.jwt.numeric_date import is_numeric_date
from gateway.auth.jwt.refusal import show
from gateway.auth.jwt.scopes import compile_scopes, explain_no_scopes
from gateway.auth.jwt.token_type import check_token_type
from gateway.auth.principal import Actor, Principal
from gateway.errors.tree import Unauthenticated
from gateway.settings.schema import Issuer

_MAX_DATE = 253_402_300_800  # the year 10000, in seconds since the epoch; no date is later


class ClaimRules:
    """The rules of one issuer for the claims of its tokens, prepared at start-up.

    A claim that cannot be what the settings say (null, or of another type) is treated as absent.
    The claims that decide whether a token is valid are the exception: `iss`, `aud` and `exp` are
    required, `nbf` must be a date, and `cnf` must name a key.

    `gateway` is `identity.issuer`: none of its tokens is checked here, and no provider knows who
    acts at the gateway. `kept` are the claims that the principal has in `claims`.
    """

    def __init__(
        self, issuer: Issuer, gateway: str | None = None, kept: Collection[str] = ()
    ) -> None:
        self._kept = tuple(kept)
        self._gateway = gateway
        self._skew = issuer.clock_skew_seconds
        self._id_tokens = issuer.id_tokens
        audience = issuer.audience
        self._audiences = frozenset([audience] if isinstance(audience, str) else audience)
        self._audience_claim = issuer.audience_claim
        self._scope_claim = issuer.scope_claim
        self._read_scopes = compile_scopes(issuer.scope_claim, issuer.granted_scopes)
        self._read_user = compile_claim_path(issuer.user_claim)
        self._read_service = compile_claim_path(issuer.service_claim)
        self._read_tenant = compile_claim_path(issuer.tenant_claim)

    def check(self, claims: Claims, header_type: str, now: float) -> Principal:
        """Check every claim that decides about the token, and build the principal.

        `now` is in seconds since the epoch. The caller has already checked `iss`.

        Raises:
            Unauthenticated: the claims do not permit access.
        """
        expires_at = self._check_times(claims, now)
        check_token_type(claims, header_type, id_tokens=self._id_tokens)
        check_audience(claims, self._audiences, self._audience_claim)
        user_id = read_id(self._read_user(claims))
        service = read_id(self._read_service(claims))
        subject = read_id(claims.get("sub")) or user_id or service
        if subject is None:
            raise Unauthenticated(
                "invalid_sub",
                "it has no usable sub, nor the claims of user_claim and service_claim",
            )
        scopes = self._read_scopes(claims)
        issuer = str(claims["iss"])
        names = list_clients(claims)
        if service:  # of another claim: a revocation may name the client by it, too
            names.append(service)
        return Principal(
            issuer=issuer,
            subject=subject,
            scopes=scopes,
            user_id=user_id,
            service=service,
            tenant=read_id(self._read_tenant(claims)),
            expires_at=expires_at,
            scope_fault="" if scopes else explain_no_scopes(self._scope_claim, claims),
            token_id=read_id(claims.get("jti")),
            issued_at=_read_number(claims.get("iat")),
            client=names[0] if names else None,
            actors=self._list_actors(claims, issuer, names),
            key_thumbprint=read_key_thumbprint(claims),
            claims=read_ids(claims, self._kept),
        )

    def check_expiry(self, expires_at: float, now: float) -> None:
        """Refuse the token from `expires_at` plus the clock skew on (RFC 7519, section 4.1.4).

        Raises:
            Unauthenticated: the token has expired.
        """
        if now >= expires_at + self._skew:
            raise Unauthenticated("expired", f"exp was {now - expires_at:.0f} s ago")

    def _list_actors(self, claims: Claims, issuer: str, names: list[str]) -> tuple[Actor, ...]:
        actors = list_actors(claims, issuer, names)
        # The gateway passes them on in tokens of its own, which say who has acted at it.
        if any(it.issuer == self._gateway for it in actors):
            explanation = "an actor (act) has identity.issuer as its iss: only the gateway names it"
            raise Unauthenticated("actor_of_gateway", explanation)
        return actors

    def _check_times(self, claims: Claims, now: float) -> float:
        expires_at = _read_date(claims, "exp")
        self.check_expiry(expires_at, now)
        if claims.get("nbf") is not None:
            self._refuse_future("not_yet_valid", "nbf", _read_date(claims, "nbf"), now)
        # `iat` decides only if it is a number: no rule requires a date (RFC 7519, section 4.1.6).
        issued_at = claims.get("iat")
        if is_numeric_date(issued_at):
            self._refuse_future("issued_in_the_future", "iat", float(issued_at), now)
        return expires_at

    def _refuse_future(self, reason: str, claim: str, date: float, now: float) -> None:
        if date > now + self._skew:
            hint = "compare the clocks, or raise clock_skew_seconds"
            raise Unauthenticated(reason, f"{claim} is {date - now:.0f} s in the future; {hint}")


def _read_date(claims: Claims, claim: str) -> float:
    value = claims.get(claim)
    if not is_numeric_date(value) or not 0 <= value < _MAX_DATE:
        raise Unauthenticated(f"invalid_{claim}", f"{claim} is {show(value)}, which is not a date")
    return float(value)


def _read_number(value: JsonValue) -> float | None:
    return float(value) if is_numeric_date(value) else None
