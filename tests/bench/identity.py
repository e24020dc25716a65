"""The caller of a run: one user with a token, and the key that verifies it."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jose import jwk

from gateway.fakes.identity_endpoints import AUDIENCE, ISSUER
from gateway.fakes.identity_provider import DevelopmentIssuer
from gateway.identity.key_file_rotation import rotate_key_file
from tests.bench.paths import make_cache_path
from tests.bench.upstream import USER

_LIFETIME_SECONDS = 6 * 3_600


@dataclass(frozen=True, slots=True)
class Identity:
    """The token, and files with the public key as a JWKS and as PEM.

    `signing_key` is the file with the key of Lockgate's internal tokens.
    """

    token: str
    jwks: Path
    pem: Path
    signing_key: Path
    issuer: str = ISSUER
    audience: str = AUDIENCE


def create_identity(scopes: Sequence[str] = ("dashboard:read", "files:use")) -> Identity:
    """Create a key pair (RS256, 2048 bits); the private key stays in memory."""
    provider = DevelopmentIssuer()
    jwks, pem = make_cache_path("identity", "jwks.json"), make_cache_path("identity", "public.pem")
    jwks.write_text(json.dumps(provider.export_jwks()))
    pem.write_bytes(jwk.construct(provider.export_jwks()["keys"][0], "RS256").to_pem())
    token = provider.issue_token(USER, scopes=list(scopes), lifetime_seconds=_LIFETIME_SECONDS)
    return Identity(token, jwks, pem, _write_signing_key())


def _write_signing_key() -> Path:
    path = make_cache_path("identity", "signing.jwks")
    path.unlink(missing_ok=True)
    rotate_key_file(path, "ES256", time.time())
    return path
