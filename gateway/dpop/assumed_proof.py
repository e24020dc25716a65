"""`AssumedProof`: takes every proof for given, where no client sends one."""

from starlette.types import Scope

from gateway.auth.jwt.confirmation import read_key_thumbprint
from gateway.auth.jwt.jws import parse_jws
from gateway.auth.proof_verifier import ProofVerifier
from gateway.errors.tree import Unauthenticated


class AssumedProof(ProofVerifier):
    """Verifies nothing: for `lockgate explain` and the test kit, never in a gateway that serves."""

    async def verify(self, scope: Scope, token: str, key_thumbprint: str) -> None:
        """Assume that the request has a valid proof."""


def find_scheme(token: str) -> str:
    """Return the scheme under which a token is sent: `DPoP` if it is bound to a key."""
    try:
        return "Bearer" if read_key_thumbprint(parse_jws(token).payload) is None else "DPoP"
    except Unauthenticated:
        return "Bearer"
