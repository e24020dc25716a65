"""The interface of proof verification, for `auth`; `gateway/dpop/dpop_verifier.py` is behind it."""

from abc import ABC, abstractmethod

from starlette.types import Scope


class ProofVerifier(ABC):
    """Verifies that the client of a request holds the key to which its token is bound.

    `gateway.dpop` implements it. Without one among the resources, a bound token is always refused.
    """

    @abstractmethod
    async def verify(self, scope: Scope, token: str, key_thumbprint: str) -> None:
        """Verify the proof of a request. `key_thumbprint` is that of RFC 7638.

        Raises:
            DpopRefused: the proof is missing, or not one of this key for this request and token.
            ReplayCacheUnavailable: it is not known whether the proof was used before.
        """
