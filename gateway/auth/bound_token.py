"""Tokens that are bound to a key: each request with one proves that the client holds the key."""

from starlette.requests import HTTPConnection
from starlette.types import Scope

from gateway.auth.principal import Principal
from gateway.auth.proof_verifier import ProofVerifier
from gateway.auth.verifier import TokenVerifier
from gateway.errors.tree import DpopRefused, Unauthenticated

PROOFS_UNSUPPORTED = "proofs_unsupported"

NEEDS_OF_PROOFS = (
    "no proof can be verified: set identity.issuer to the URL of the gateway, and redis_url if "
    "counters.processes is more than 1"
)

_HAS_PROOF = "lockgate.has_proof"


async def verify_bound_token(
    connection: HTTPConnection, verifier: TokenVerifier, token: str
) -> Principal:
    """Verify a token that was sent with the scheme `DPoP`, and the proof of this request.

    Raises:
        DpopRefused: the token is not valid or not bound, or the request does not prove its key.
        IdentityUnavailable: the token's key cannot be fetched now.
        ReplayCacheUnavailable: it is not known whether the proof was used before.
    """
    try:
        principal = await verifier.verify(token)
    except Unauthenticated as refusal:
        raise DpopRefused(refusal.reason, refusal.explanation, error="invalid_token") from refusal
    if principal.key_thumbprint is None:
        hint = "it has the scheme DPoP, and is bound to no key (cnf.jkt): send it as Bearer"
        raise DpopRefused("not_bound", hint, error="invalid_token")
    proofs: ProofVerifier | None = connection.app.state.resources.get(ProofVerifier)
    if proofs is None:
        raise DpopRefused(PROOFS_UNSUPPORTED, NEEDS_OF_PROOFS, error="invalid_token")
    await proofs.verify(connection.scope, token, principal.key_thumbprint)
    connection.scope[_HAS_PROOF] = True
    return principal


def refuse_bearer() -> DpopRefused:
    """Return the error for a bound token that was sent without its proof (RFC 9449, 7.2)."""
    hint = "it is bound to a key (cnf.jkt): send it as DPoP, with a proof"
    return DpopRefused("bound_token_as_bearer", hint, error="invalid_token")


def has_proof(scope: Scope) -> bool:
    """Whether this request has proved the key of its token."""
    return _HAS_PROOF in scope
