"""Verifies the token of the subject that a client wants to act for (RFC 8693, section 2.1)."""

from gateway.auth.jwt.jws import Jws, parse_jws
from gateway.auth.jwt.token_type import check_token_type
from gateway.auth.principal import Principal
from gateway.auth.verifier import TokenVerifier
from gateway.errors.tree import Unauthenticated
from gateway.oauth.oauth_errors import InvalidRequest, InvalidSubjectToken


async def verify_subject_token(verifier: TokenVerifier, token: str) -> Principal:
    """Return the subject of an access token for the gateway.

    Other credentials are refused, even those that the gateway accepts elsewhere: an API key,
    a ticket, and an ID token of an issuer with `id_tokens`. An internal token is for a service.

    Raises:
        InvalidSubjectToken: the token is of another kind, not valid, expired or revoked.
        InvalidRequest: it is bound to a key.
        IdentityUnavailable: its key is not known and cannot be fetched now.
        DatabaseUnavailable: the revocations or the signing keys have not been read yet.
    """
    try:
        # Before an API key could be found, which would count as its use.
        jws = parse_jws(token)
        check_token_type(jws.payload, jws.type, id_tokens=False)
        principal = await verifier.verify(token)
    except Unauthenticated as refusal:
        raise InvalidSubjectToken(
            "The subject_token is not a valid access token for this server.",
            f"subject_token: {refusal.reason}: {refusal.explanation}",
        ) from None
    _refuse_bound(jws)
    return principal


def _refuse_bound(jws: Jws) -> None:
    """Refuse a token with `cnf` (RFC 7800): the client cannot prove that it has the key."""
    if jws.payload.get("cnf") is not None:
        raise InvalidRequest("The subject_token is bound to a key of its holder.")
