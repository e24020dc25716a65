"""The rules for the claims of the gateway's own access tokens; `own_token_keys.py` has the keys.

RFC 9068, section 2.2. `claims.py` has the rules for the tokens of providers.

Nothing is read with tolerance: the gateway has written these claims. A token that lacks one of them
is none of its access tokens, whatever key has signed it.
"""

from collections.abc import Collection, Iterator, Mapping

from pydantic import JsonValue

from gateway.auth.jwt.actors import list_actors
from gateway.auth.jwt.claim_path import Claims
from gateway.auth.jwt.confirmation import read_key_thumbprint
from gateway.auth.jwt.ids import read_id, read_ids
from gateway.auth.jwt.numeric_date import is_numeric_date
from gateway.auth.jwt.refusal import show
from gateway.auth.principal import SCOPE, Principal, SourceToken
from gateway.errors.tree import Unauthenticated
from gateway.settings.schema import MAX_TOKEN_SECONDS

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
"""The `typ` of an access token (RFC 9068, section 2.1). No internal token has it."""

LIMIT_CLAIMS = "limit_claims"
"""The claim with the claims of the subject that rate limits count it by, or select its tier by."""

MAX_SOURCES = 4
"""The maximum of tokens that one token comes from, by one exchange after the other."""

MAX_SERVICES = 64

SKEW_SECONDS = 5.0
"""The maximum between the clocks of two processes that share the signing keys."""


class OwnTokenRules:
    """The rules for the claims of the access tokens of `issuer`, which is `identity.issuer`.

    `providers` are the issuers of the settings. A token of a subject of another one is refused, so
    that a provider that leaves the settings takes along what was exchanged for its tokens.
    """

    def __init__(self, issuer: str, providers: Collection[str]) -> None:
        self._issuer = issuer
        self._subject_issuers = frozenset({issuer, *providers})

    @property
    def issuer(self) -> str:
        """The issuer of the tokens, which is also their audience."""
        return self._issuer

    def check(self, claims: Claims, header_type: str, now: float) -> Principal:
        """Check every claim, and build the principal; `now` is in seconds since the epoch.

        Raises:
            Unauthenticated: the claims are not those of an access token, or it is not valid now.
        """
        if header_type != ACCESS_TOKEN_TYPE:
            raise Unauthenticated(
                "wrong_type",
                f"typ of the header is {show(header_type)}; an access token of the gateway has "
                f"{ACCESS_TOKEN_TYPE}",
            )
        if claims.get("iss") != self._issuer or claims.get("aud") != self._issuer:
            shown = f"iss is {show(claims.get('iss'))}, aud is {show(claims.get('aud'))}"
            raise Unauthenticated("wrong_audience", f"{shown}; both must be identity.issuer")
        issued_at, expires_at = self._check_times(claims, now)
        client = _require_id(claims, "client_id")
        is_exchanged = "sub_id" in claims
        if not is_exchanged and _require_id(claims, "sub") != client:
            raise Unauthenticated("invalid_sub", "sub is not client_id, and it has no sub_id")
        issuer, subject = read_subject(claims) if is_exchanged else (self._issuer, client)
        if issuer not in self._subject_issuers:
            explanation = f"the issuer in sub_id is {show(issuer)}, which the settings do not have"
            raise Unauthenticated("unknown_issuer", explanation)
        return Principal(
            issuer=issuer,
            subject=subject,
            scopes=_read_scopes(claims),
            # Claims of the subject of an exchanged token alone: a client whose id is 42 is not the
            # user 42 (RFC 9068, section 5).
            user_id=read_id(claims.get("user_id")) if is_exchanged else None,
            service=client,
            tenant=read_id(claims.get("tenant")) if is_exchanged else None,
            expires_at=expires_at,
            token_id=_require_id(claims, "jti"),
            issued_at=issued_at,
            client=client,
            actors=list_actors(claims, self._issuer, [client]),
            key_thumbprint=read_key_thumbprint(claims),
            token_issuer=self._issuer,
            sources=read_sources(claims),
            services=_read_services(claims),
            claims=_read_limit_claims(claims),
        )

    def check_expiry(self, expires_at: float, now: float) -> None:
        """Refuse the token from `expires_at` plus the tolerance for clocks on.

        Raises:
            Unauthenticated: the token has expired.
        """
        if now >= expires_at + SKEW_SECONDS:
            raise Unauthenticated("expired", f"exp was {now - expires_at:.0f} s ago")

    def _check_times(self, claims: Claims, now: float) -> tuple[float, float]:
        """Return `iat` and `exp`."""
        issued_at, expires_at = claims.get("iat"), claims.get("exp")
        if not is_numeric_date(issued_at) or not is_numeric_date(expires_at):
            shown = f"iat is {show(issued_at)}, exp is {show(expires_at)}"
            raise Unauthenticated("invalid_exp", f"{shown}; both must be numbers")
        self.check_expiry(expires_at, now)
        if issued_at > now + SKEW_SECONDS:
            explanation = f"iat is {issued_at - now:.0f} s in the future; compare the clocks"
            raise Unauthenticated("issued_in_the_future", explanation)
        if not 0 < expires_at - issued_at <= MAX_TOKEN_SECONDS:
            explanation = f"it is valid for {expires_at - issued_at:.0f} s, not for 1 to"
            raise Unauthenticated("lives_too_long", f"{explanation} {MAX_TOKEN_SECONDS} s")
        return float(issued_at), float(expires_at)


def read_subject(claims: Claims) -> tuple[str, str]:
    """Return the issuer and the subject in `sub_id` (RFC 9493, section 3.2.3).

    Raises:
        Unauthenticated: it has neither.
    """
    subject_id = claims.get("sub_id")
    if not isinstance(subject_id, dict) or subject_id.get("format") != "iss_sub":
        raise Unauthenticated("invalid_sub", "sub_id is not of the format iss_sub")
    return _require_id(subject_id, "iss"), _require_id(subject_id, "sub")


def build_origin(principal: Principal) -> list[dict[str, str | float]]:
    """Return the claim `origin` of a token that is exchanged for the token of this caller.

    `OwnTokenRules` reads it: `Principal.sources` are the token, and those that it comes from. A
    token with more than `MAX_SOURCES` of them is not valid.
    """
    own = SourceToken(principal.token_issuer, principal.token_id, principal.issued_at)
    return [
        {
            name: value
            for name, value in (("iss", it.issuer), ("jti", it.token_id), ("iat", it.issued_at))
            if value is not None
        }
        for it in (own, *principal.sources)
    ]


def read_sources(claims: Claims, at_most: int = MAX_SOURCES) -> tuple[SourceToken, ...]:
    """Return the tokens of the claim `origin`, as `build_origin` has written it.

    Raises:
        Unauthenticated: it is malformed, or has too many of them.
    """
    origin = claims.get("origin", [])
    if not isinstance(origin, list) or len(origin) > at_most:
        raise Unauthenticated("invalid_origin", f"origin is not a list of at most {at_most}")
    return tuple(_iter_sources(origin))


def _require_id(claims: Mapping[str, JsonValue], claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or read_id(value) is None:
        raise Unauthenticated(f"invalid_{claim}", f"{claim} is {show(value)}, which is not an id")
    return value


def _read_scopes(claims: Claims) -> frozenset[str]:
    value = claims.get("scope", "")
    scopes = value.split(" ") if isinstance(value, str) and value else []
    if not isinstance(value, str) or not all(map(SCOPE.fullmatch, scopes)):
        raise Unauthenticated("invalid_scope", f"scope is {show(value)}")
    return frozenset(scopes)


def _iter_sources(origin: list[JsonValue]) -> Iterator[SourceToken]:
    for it in origin:
        if not isinstance(it, dict):
            raise Unauthenticated("invalid_origin", f"origin has {show(it)}")
        token_id = _require_id(it, "jti") if "jti" in it else None
        iat = it.get("iat")
        issued_at = float(iat) if is_numeric_date(iat) else None
        yield SourceToken(_require_id(it, "iss"), token_id, issued_at)


def _read_limit_claims(claims: Claims) -> dict[str, str]:
    value = claims.get(LIMIT_CLAIMS)
    return read_ids(value, value) if isinstance(value, dict) else {}


def _read_services(claims: Claims) -> frozenset[str] | None:
    if "services" not in claims:
        return None
    value = claims["services"]
    names = value if isinstance(value, list) else []
    services = frozenset(it for it in names if isinstance(it, str))
    if not 0 < len(services) <= MAX_SERVICES or len(services) < len(names):
        raise Unauthenticated("invalid_services", f"services is {show(value)}")
    return services
