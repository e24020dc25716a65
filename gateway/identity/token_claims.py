"""The claims about a caller in tokens of the gateway, as the caller's own token describes it."""

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.auth.principal import ANY, Actor, Principal
from gateway.identity.subject import encode_subject


def build_caller_claims(
    principal: Principal, scopes: Sequence[str], gateway: str
) -> dict[str, Any]:
    """Return the claims of an internal token about the caller and its actors.

    `gateway` is `identity.issuer`. To those of `build_subject_claims` come:

    - `client_id` is the client that got the token of the caller.
    - `scope` has those of `scopes` that the caller holds (RFC 8693, section 4.2).
    - `act` names the gateway, which acts for the caller, and in it those who acted before
      (RFC 8693, section 4.1).
    """
    client = {} if principal.client is None else {"client_id": principal.client}
    return {
        **build_subject_claims(principal),
        **client,
        "scope": " ".join(iter_held_scopes(principal, scopes)),
        "act": nest_actors([Actor(gateway, gateway), *principal.actors]),
    }


def build_subject_claims(principal: Principal) -> dict[str, Any]:
    """Return the claims that say who the subject is.

    `sub` is unique over all issuers, and `sub_id` has its two parts (RFC 9493, section 3.2.3).
    `user_id` and `tenant` are there if the subject has them.
    """
    claims: dict[str, Any] = {
        "sub": encode_subject(principal.issuer, principal.subject),
        "sub_id": {"format": "iss_sub", "iss": principal.issuer, "sub": principal.subject},
    }
    optional = {"user_id": principal.user_id, "tenant": principal.tenant}
    claims.update((name, value) for name, value in optional.items() if value is not None)
    return claims


def iter_held_scopes(principal: Principal, scopes: Sequence[str]) -> Iterator[str]:
    """Yield each form of the scopes that the token of the caller has, once."""
    for scope in dict.fromkeys(scopes):
        for form in (scope, scope + ANY):
            if form in principal.scopes:
                yield form


def nest_actors(actors: Sequence[Actor]) -> dict[str, Any]:
    """Return the actors as nested claims, the first one outermost, and each of them once."""
    claims: dict[str, Any] = {}
    for actor in reversed(dict.fromkeys(actors)):
        inner = {"act": claims} if claims else {}
        claims = {"iss": actor.issuer, "sub": actor.subject, **inner}
    return claims
