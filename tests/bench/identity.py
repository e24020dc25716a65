"""Who calls: one user with a token, and the key it is verified with, made for this run alone."""

import json
from dataclasses import dataclass
from pathlib import Path

from jose import jwk

from gateway.demo.identity import AUDIENCE, ISSUER, DevelopmentIssuer
from tests.bench.place import built
from tests.bench.upstream import USER

_LIFETIME_SECONDS = 6 * 3_600


@dataclass(frozen=True, slots=True)
class Identity:
    """The token, and the public key in both forms that the contenders read."""

    token: str
    jwks: Path
    pem: Path
    issuer: str = ISSUER
    audience: str = AUDIENCE


def new_identity() -> Identity:
    """A fresh key pair (RS256, 2048 bits); its private half is never written down."""
    provider = DevelopmentIssuer()
    jwks, pem = built("identity", "jwks.json"), built("identity", "public.pem")
    jwks.write_text(json.dumps(provider.export_jwks()))
    pem.write_bytes(jwk.construct(provider.export_jwks()["keys"][0], "RS256").to_pem())
    token = provider.issue_token(
        USER, scopes=["dashboard:read"], lifetime_seconds=_LIFETIME_SECONDS
    )
    return Identity(token, jwks, pem)
