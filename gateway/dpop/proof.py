"""Parses and verifies a DPoP proof (RFC 9449, 4.2) by itself; see `dpop_verifier.py`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydantic import JsonValue

from gateway.auth.jwks.jwk import UnusableKey, compute_jwk_thumbprint, parse_jwk
from gateway.auth.jwt import base64url, strict_json
from gateway.auth.jwt.jws import UNSUPPORTED_PARAMETERS
from gateway.auth.jwt.malformed import explain_malformed
from gateway.auth.jwt.numeric_date import is_numeric_date
from gateway.auth.jwt.refusal import show, show_all
from gateway.auth.jwt.signatures import Key, is_valid_signature
from gateway.settings.issuer_types import get_canonical_algorithm
from gateway.settings.schema import ALGORITHMS

MAX_BYTES = 8_192  # the key of RSA with 8192 bits and its signature take half of it
MAX_ID_LENGTH = 256

_MAX_CACHED_HEADERS = 1_024
_TYPE = "dpop+jwt"

Members = Mapping[str, JsonValue]


class InvalidProof(Exception):
    """A DPoP proof that is refused. `reason` is a word for the log, `explanation` a sentence."""

    def __init__(self, reason: str, explanation: str = "") -> None:
        super().__init__(reason, explanation)
        self.reason = reason
        self.explanation = explanation


@dataclass(frozen=True, slots=True)
class Proof:
    """A parsed proof. Nothing in it is trusted until its signature has been verified.

    `issued_at` is in seconds since the epoch. `token_hash` is the claim `ath`, or None.
    """

    key: Key
    key_thumbprint: str
    proof_id: str
    method: str
    uri: str
    issued_at: float
    token_hash: str | None
    claims: Members
    signing_input: bytes
    signature: bytes

    def verify_signature(self) -> None:
        """Verify that the key of the header has made the signature.

        Raises:
            InvalidProof: it has not.
        """
        if not is_valid_signature(self.key, self.signing_input, self.signature):
            raise InvalidProof("proof_signature", "the key in its header has not made it")


def parse_proof(proof: bytes) -> Proof:
    """Parse the value of the header field `DPoP`.

    Raises:
        InvalidProof: it is not one JWT, or its header or a claim is not that of a proof.
    """
    if len(proof) > MAX_BYTES:
        raise InvalidProof("proof_too_large", f"{len(proof)} bytes; at most {MAX_BYTES}")
    segments = proof.decode("latin-1").split(".")
    if len(segments) != 3 or not all(segments):
        raise InvalidProof("proof_malformed", "it is not a JWT of three segments")
    try:
        key, thumbprint = _parse_header(segments[0])
        claims = strict_json.parse_object(base64url.decode(segments[1]))
        signature = base64url.decode(segments[2])
    except ValueError:
        fault = explain_malformed(".".join(segments))
        raise InvalidProof("proof_malformed", fault) from None
    token_hash = claims.get("ath")
    return Proof(
        key=key,
        key_thumbprint=thumbprint,
        proof_id=_read_text(claims, "jti", MAX_ID_LENGTH),
        method=_read_text(claims, "htm"),
        uri=_read_text(claims, "htu"),
        issued_at=read_time(claims, "iat"),
        token_hash=None if token_hash is None else _read_text(claims, "ath"),
        claims=claims,
        signing_input=proof[: proof.rindex(b".")],
        signature=signature,
    )


def hash_token(token: str) -> str:
    """Return the hash of an access token, as the claim `ath` has it."""
    return base64url.encode(hashlib.sha256(token.encode("ascii")).digest())


def read_time(claims: Members, claim: str) -> float:
    """Return a claim that must be a time, in seconds since the epoch.

    Raises:
        InvalidProof: it is absent, or not a number.
    """
    value = claims.get(claim)
    if not is_numeric_date(value):
        raise InvalidProof(f"proof_{claim}", f"{claim} is {show(value)}; it must be a time")
    return float(value)


@lru_cache(maxsize=_MAX_CACHED_HEADERS)
def _parse_header(segment: str) -> tuple[Key, str]:
    """Return the public key of a header, and its thumbprint.

    A client sends the same header with each proof, and a key is costly to construct.

    Raises:
        ValueError: it is malformed.
        InvalidProof: it is not the header of a proof, or has no key for its algorithm.
    """
    header = strict_json.parse_object(base64url.decode(segment))
    algorithm = _read_algorithm(header)
    try:
        key = parse_jwk(header.get("jwk"), [algorithm])
    except UnusableKey as error:
        hint = f"the jwk of its header is no key for {algorithm}: {error}"
        raise InvalidProof("proof_key", hint) from None
    return key.by_algorithm[algorithm], compute_jwk_thumbprint(key.public_members)


def _read_algorithm(header: Members) -> str:
    """Check the header, and return its algorithm."""
    if header.get("typ") != _TYPE:
        hint = f"typ of its header is {show(header.get('typ'))}; it must be {show(_TYPE)}"
        raise InvalidProof("proof_type", hint)
    if unsupported := UNSUPPORTED_PARAMETERS.intersection(header):
        raise InvalidProof("proof_header", f"it has {show_all(sorted(unsupported))}")
    algorithm = header.get("alg")
    known = get_canonical_algorithm(algorithm) if isinstance(algorithm, str) else None
    if known not in ALGORITHMS:
        hint = f"alg is {show(algorithm)}; allowed are {', '.join(ALGORITHMS)}"
        raise InvalidProof("proof_algorithm", hint)
    return str(known)


def _read_text(claims: Members, claim: str, max_length: int = MAX_BYTES) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not 0 < len(value) <= max_length:
        found = f"has {len(value)} characters" if isinstance(value, str) else f"is {show(value)}"
        hint = f"{claim} {found}; it must be a text of 1 to {max_length} characters"
        raise InvalidProof(f"proof_{claim}", hint)
    return value
