"""Verifies that the proof of `proof.py` is for this request, and is new (RFC 9449, section 4.3)."""

from starlette.types import Scope

from gateway.auth.clock import Clock
from gateway.auth.jwt.refusal import show
from gateway.auth.proof_verifier import ProofVerifier
from gateway.dpop.proof import InvalidProof, Proof, hash_token, parse_proof, read_time
from gateway.dpop.target_uri import PublicUrl, normalize_uri
from gateway.errors.tree import DpopRefused
from gateway.replay import ReplayCache
from gateway.request_context import REQUEST_METHOD

_FIELD = b"dpop"
_KIND = "dpop"
_CLOCK_DIFFERENCE = 5.0
"""How far the clocks of the processes that share a cache may differ, in seconds."""


class DpopVerifier(ProofVerifier):
    """Verifies proofs for URLs below that of the gateway; each is accepted once.

    `max_age` is how far the time of a proof may be from that of the clock, in seconds.
    """

    def __init__(self, url: PublicUrl, replay: ReplayCache, clock: Clock, max_age: float) -> None:
        self._url = url
        self._replay = replay
        self._clock = clock
        self._max_age = max_age

    async def verify(self, scope: Scope, token: str, key_thumbprint: str) -> None:
        """Verify the proof of a request with a token that is bound to a key.

        Raises:
            DpopRefused: the proof is missing, or not one of this key for this request and token.
            ReplayCacheUnavailable: it is not known whether the proof was used before.
        """
        try:
            proof = read_proof(scope)
            _check_token(proof, token, key_thumbprint)
            await self.accept(scope, proof)
        except InvalidProof as error:
            raise DpopRefused(error.reason, error.explanation) from None

    async def read_key(self, scope: Scope) -> str | None:
        """Verify the proof of a token request; return the thumbprint of its key.

        None without a proof: the token shall not be bound (RFC 9449, section 5).

        Raises:
            InvalidProof: it is malformed, for another request, too old, forged, or used before.
            ReplayCacheUnavailable: it is not known whether it was used before.
        """
        if not _list_proofs(scope):
            return None
        proof = read_proof(scope)
        await self.accept(scope, proof)
        return proof.key_thumbprint

    async def accept(self, scope: Scope, proof: Proof) -> None:
        """Accept a proof for a request, once: what it is for, its time, its signature.

        Raises:
            InvalidProof: it is for another request, too old, forged, or was used before.
            ReplayCacheUnavailable: it is not known whether it was used before.
        """
        self._check_request(scope, proof)
        now = self._clock.now()
        self._check_times(proof, now)
        proof.verify_signature()
        value = f"{proof.key_thumbprint} {proof.proof_id}"
        seconds = proof.issued_at + self._max_age + _CLOCK_DIFFERENCE - now
        if not await self._replay.remember(_KIND, value, seconds):
            raise InvalidProof("proof_used", "a proof with its jti was used before")

    def _check_request(self, scope: Scope, proof: Proof) -> None:
        method = scope.get(REQUEST_METHOD) or scope.get("method", "GET")
        if proof.method != method:
            hint = f"htm is {show(proof.method)}; the method is {method}"
            raise InvalidProof("proof_htm", hint)
        expected = self._url.build_target_uri(scope)
        try:
            uri = normalize_uri(proof.uri)
        except ValueError as error:
            raise InvalidProof("proof_htu", f"htu is not usable: {error}") from None
        if uri != expected:
            hint = f"htu is {show(uri)}; the URL of the request is {show(expected)}"
            raise InvalidProof("proof_htu", hint)

    def _check_times(self, proof: Proof, now: float) -> None:
        age = now - proof.issued_at
        if abs(age) > self._max_age:
            hint = f"iat was {age:.0f} s ago" if age > 0 else f"iat is {-age:.0f} s in the future"
            bound = f"tokens.proof_seconds is {self._max_age:g}"
            raise InvalidProof("proof_iat", f"{hint}; {bound}")
        # A proof needs neither, but each means in a JWT what it always means.
        if "exp" in proof.claims and read_time(proof.claims, "exp") <= now:
            raise InvalidProof("proof_exp", "it has expired")
        if "nbf" in proof.claims and read_time(proof.claims, "nbf") > now + self._max_age:
            raise InvalidProof("proof_nbf", "it is not yet valid")


def _check_token(proof: Proof, token: str, key_thumbprint: str) -> None:
    """Check that a proof is by the key to which a token is bound, and for this token."""
    if proof.key_thumbprint != key_thumbprint:
        hint = "the token is bound to another key than that of the proof"
        raise DpopRefused("proof_of_another_key", hint, error="invalid_token")
    if proof.token_hash != hash_token(token):
        found = "missing" if proof.token_hash is None else "not the hash of the token"
        raise InvalidProof("proof_ath", f"ath is {found}")


def read_proof(scope: Scope) -> Proof:
    """Parse the one proof of a request.

    Raises:
        InvalidProof: there is none, more than one, or it is malformed.
    """
    proofs = _list_proofs(scope)
    if not proofs:
        raise InvalidProof("no_proof", "the header field DPoP is missing")
    if len(proofs) > 1:
        raise InvalidProof("multiple_proofs", f"there are {len(proofs)} header fields DPoP")
    return parse_proof(proofs[0])


def _list_proofs(scope: Scope) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == _FIELD]
