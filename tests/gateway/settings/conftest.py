"""An environment without settings."""

import pytest


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings file is set."""
    monkeypatch.delenv("LOCKGATE_CONFIG", raising=False)
