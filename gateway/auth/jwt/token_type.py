"""Tells access tokens from ID tokens, refresh tokens and others that the same provider signs.

No claim is common to all providers. These rules are applied in this order:

1. `typ` (Keycloak), `token_use` (Amazon Cognito), `tokenName` (ForgeRock, Ping) and `token_type`
   name the kind of a token.
2. A header with `typ` `at+jwt` is that of an access token (RFC 9068, section 2.1).
3. A token with `nonce`, `at_hash` or `c_hash` is an ID token (OpenID Connect Core 1.0, sections 2
   and 3.3.2.11).
4. A token with `events` is a security event, such as a logout token (RFC 8417, section 2.2).
5. A token whose audience is its client (`azp`), and that has no scopes, is an ID token (OpenID
   Connect Core 1.0, section 2).

Everything else is taken for an access token. An ID token that nothing marks is refused by its
audience, which is the client and not the gateway.
"""

from enum import Enum

from gateway.auth.jwt.claim_path import Claims
from gateway.auth.jwt.refusal import show
from gateway.errors.tree import Unauthenticated


class _Kind(Enum):
    ACCESS = "access token"
    ID = "ID token"
    OTHER = "other token"


_KIND_CLAIMS = ("typ", "token_use", "tokenName", "token_type")
_KINDS = {
    **dict.fromkeys(("access", "access_token", "bearer", "at+jwt"), _Kind.ACCESS),
    **dict.fromkeys(("id", "id_token"), _Kind.ID),
    **dict.fromkeys(
        (
            "refresh",
            "refresh_token",
            "offline",
            "logout",
            "logout+jwt",
            "dpop+jwt",
            "authorization_code",
            "initialaccesstoken",
            "registrationaccesstoken",
        ),
        _Kind.OTHER,
    ),
}
_SCOPE_CLAIMS = ("scope", "scp", "roles", "permissions")
_ID_TOKEN_CLAIMS = ("nonce", "at_hash", "c_hash")


def check_token_type(claims: Claims, header_type: str, *, id_tokens: bool) -> None:
    """Refuse every token that is not an access token, nor an ID token if `id_tokens` allows them.

    `header_type` is the `typ` of the header in lower case, or "".

    Raises:
        Unauthenticated: the token is of another kind.
    """
    kind, mark = _classify(claims, header_type)
    if kind is _Kind.ID and not id_tokens:
        raise Unauthenticated(
            "id_token",
            f"it is an ID token ({mark}); send the access token, or set id_tokens of the issuer",
        )
    if kind is _Kind.OTHER:
        raise Unauthenticated("wrong_type", f"it is not an access token ({mark})")


def _classify(claims: Claims, header_type: str) -> tuple[_Kind, str]:
    """Return the kind of a token, and what says so."""
    for claim in _KIND_CLAIMS:
        value = claims.get(claim)
        kind = _KINDS.get(value.lower()) if isinstance(value, str) else None
        if kind is not None:
            return kind, f"{claim} is {show(value)}"
    if header_type == "at+jwt":
        return _Kind.ACCESS, "typ of the header"
    for claim in _ID_TOKEN_CLAIMS:
        if claims.get(claim) is not None:
            return _Kind.ID, f"it has {claim}"
    if _has_security_events(claims):
        return _Kind.OTHER, "it has events"
    if _is_for_its_client(claims):
        return _Kind.ID, "aud is azp, and it has no scopes"
    return _Kind.ACCESS, ""


def _is_for_its_client(claims: Claims) -> bool:
    client = claims.get("azp")
    return (
        isinstance(client, str)
        and claims.get("aud") in (client, [client])
        and all(claims.get(name) is None for name in _SCOPE_CLAIMS)
    )


def _has_security_events(claims: Claims) -> bool:
    """Whether `events` is that of RFC 8417: an object whose names are URIs."""
    events = claims.get("events")
    return isinstance(events, dict) and any(":" in name for name in events)
