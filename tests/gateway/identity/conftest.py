"""Fixtures: internal tokens with a key of either kind, and a clock that a test advances."""

import pytest

from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.signing_key import generate_signing_key
from gateway.identity.signing_keys import SigningKeys
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
    return InternalTokens(GATEWAY, keys, max_entries=3, clock=clock)
