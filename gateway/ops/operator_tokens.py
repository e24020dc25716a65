"""The tokens of operators: those of `ops.audience`, and none of the public port."""

from collections.abc import Sequence

from gateway.auth.proof_verifier import ProofVerifier
from gateway.auth.verifier import JwtVerifier, TokenVerifier
from gateway.resources import Resources
from gateway.settings.schema import Issuer


def require_operator_tokens(resources: Resources, audience: str, issuers: Sequence[Issuer]) -> None:
    """Let the app of these resources accept tokens of operators, and no others.

    They are verified with the keys of the gateway's providers, which `resources` has. Bound tokens
    (DPoP) are refused, as a proof names the URL of the public port.
    """
    resources.pop(ProofVerifier, None)
    verifier: JwtVerifier = resources[TokenVerifier]
    resources[TokenVerifier] = verifier.accept_audience(audience, issuers)
