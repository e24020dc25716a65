"""No settings file, and an issuer in the environment."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.gateway.auth.token_factory import encode_jwk_set, get_signing_key
from tests.gateway.cli.wrong_configuration import PACKAGE

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


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which has the package of a case. No variable is set."""
    for name in os.environ:
        if name.upper().startswith("LOCKGATE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        monkeypatch.delitem(sys.modules, module)
    return tmp_path
