"""Fixtures: internal tokens with a key of either kind, and a clock that a test advances."""

from pathlib import Path

import pytest

from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key import generate_signing_key
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.settings.loader import load_settings
from gateway.settings.schema import Identity, Settings
from tests.gateway.auth.manual_clock import ManualClock
from tests.gateway.identity.callers import NOW
from tests.gateway.identity.verifiers import GATEWAY


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def tokens(clock: ManualClock) -> InternalTokens:
    """Internal tokens with one ES256 key, and room for three in the cache."""
    keys = SigningKeys([generate_signing_key("ES256", 0)])
    return InternalTokens(GATEWAY, SigningKeyProvider(keys), max_entries=3, clock=clock)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A key file with one ES256 key."""
    path = tmp_path / "signing.jwks"
    rotate_key_file(path, "ES256", NOW)
    return path


@pytest.fixture
def settings(key_file: Path) -> Settings:
    """The settings of the sample application, with that key file."""
    identity = Identity(issuer=GATEWAY, signing_key_file=key_file)
    return load_settings().model_copy(update={"identity": identity})
