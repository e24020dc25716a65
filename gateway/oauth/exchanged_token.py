"""The claims of a token that is exchanged for another one (RFC 8693, section 4)."""

from typing import Any

from gateway.auth.jwt.actors import MAX_ACTORS
from gateway.auth.jwt.own_token_rules import LIMIT_CLAIMS, MAX_SOURCES, build_origin
from gateway.auth.principal import Actor, Principal
from gateway.identity.token_claims import build_subject_claims, nest_actors
from gateway.oauth.exchange_policy import Permission
from gateway.oauth.oauth_errors import InvalidRequest, InvalidSubjectToken

_MIN_SECONDS = 2


def build_exchanged_claims(
    subject: Principal, client: Actor, permission: Permission, now: float
) -> dict[str, Any]:
    """Return the claims of the token, but those that each token of the gateway has.

    - `act` names the client, and in it those who acted before.
    - `services` are those that the token is for, if it is not for the whole gateway.
    - `origin` names the tokens that it comes from: their revocations are also its own.
    - `limit_claims` are the claims that rate limits read, so that the caller is counted as before.

    A chain of exchanges is refused once it is too long, never cut: `origin` must be complete.

    Raises:
        InvalidSubjectToken: the token of the subject expires within two seconds.
        InvalidRequest: it has come from too many exchanges, or too many actors.
    """
    if subject.expires_at - now < _MIN_SECONDS:
        raise InvalidSubjectToken("The subject_token has expired.")
    if len(subject.actors) >= MAX_ACTORS or len(subject.sources) >= MAX_SOURCES:
        raise InvalidRequest(
            "The subject_token has been exchanged too often.",
            f"{len(subject.actors)} actors, {len(subject.sources)} exchanges; "
            f"at most {MAX_ACTORS} actors and {MAX_SOURCES} exchanges are possible",
        )
    claims = {
        **build_subject_claims(subject),
        "act": nest_actors([client, *subject.actors]),
        "origin": build_origin(subject),
    }
    if subject.claims:
        claims[LIMIT_CLAIMS] = dict(subject.claims)
    if permission.services is not None:
        claims["services"] = sorted(permission.services)
    return claims
