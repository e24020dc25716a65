"""Lets respx mock the transport of the typed clients, and gives the shop a signing key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.gateway.upstream.respx_mocking  # noqa: F401 - registers it with respx
from gateway.identity.temporary_key_file import create_temporary_key_file


@pytest.fixture
def signing_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a signing key that the environment names; the proxied routes need one."""
    with create_temporary_key_file() as path:
        monkeypatch.setenv("LOCKGATE_IDENTITY__ISSUER", "https://gateway.example.com")
        monkeypatch.setenv("LOCKGATE_IDENTITY__SIGNING_KEY_FILE", str(path))
        yield path
