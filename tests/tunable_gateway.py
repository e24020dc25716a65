"""The environment of a gateway of `tests/tunable`, and tokens for it and its ops app."""

import json
import os
import time
from pathlib import Path

from tests.gateway.auth.token_factory import AUDIENCE, encode_jwk_set, get_signing_key, make_token

ISSUER = "https://people.test"
OPS_AUDIENCE = "gateway-ops"
_KEY = "ES256"


def build_environment(folder: Path, database_url: str, **variables: str) -> dict[str, str]:
    """Return the environment of a gateway with its keys in a folder, and any ops port."""
    keys = folder / "jwks.json"
    keys.write_bytes(encode_jwk_set(get_signing_key(_KEY).jwk()))
    issuer = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(keys), "user_claim": "sub"}
    return {
        "PATH": os.environ["PATH"],
        "LOCKGATE_APP__PACKAGE": "tests.tunable",
        "LOCKGATE_ISSUERS": json.dumps([issuer]),
        "LOCKGATE_DATABASE_URL": database_url,
        "LOCKGATE_OPS__AUDIENCE": OPS_AUDIENCE,
        "LOCKGATE_OPS__PORT": "0",
        **variables,
    }


def issue_token(subject: str, scope: str = "pages:read", audience: str = AUDIENCE) -> str:
    """Issue a token that is valid for an hour."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": subject, "aud": audience, "scope": scope}
    return make_token({**claims, "iat": now - 1, "exp": now + 3_600}, key=get_signing_key(_KEY))


def issue_operator_token(subject: str = "operator") -> str:
    """Issue a token that may change limits."""
    return issue_token(subject, "limits:read limits:write", OPS_AUDIENCE)
