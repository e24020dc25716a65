"""No settings file, and an issuer in the environment."""

import json
from pathlib import Path

import pytest

from tests.gateway.auth.token_factory import encode_jwk_set, get_signing_key

KEYS = encode_jwk_set(get_signing_key("ES256").jwk())


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_CONFIG", raising=False)


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Set an issuer in the environment; its key file does not exist yet."""
    keys = tmp_path / "jwks.json"
    issuers = [{"issuer": "https://idp", "audience": "lockgate", "jwks_file": str(keys)}]
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps(issuers))
    return keys
