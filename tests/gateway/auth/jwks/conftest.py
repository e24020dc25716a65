"""Fixtures: published keys that a test changes, and their provider under a manual clock."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.auth.jwks.key_provider import KeyProvider
from gateway.auth.jwks.key_set import KeySet, parse_key_set
from gateway.settings.schema import Tokens
from tests.gateway.auth.manual_clock import ManualClock
from tests.gateway.auth.token_factory import ISSUER, encode_jwk_set, get_signing_key

TOKENS = Tokens(keys_refresh_seconds=300, keys_cooldown_seconds=5)


class KeySource:
    """Published keys, with a gate that can delay the response."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.ids = {"old"}
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.fetched_at: list[float] = []

    async def fetch(self) -> KeySet:
        """Return what is published now, once the gate is open."""
        self.fetched_at.append(self.clock.time)
        ids = sorted(self.ids)
        await self.gate.wait()
        if self.error:
            raise self.error
        return parse_key_set(
            encode_jwk_set(*(get_signing_key("ES256", kid).jwk() for kid in ids)), ["ES256"]
        )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000)


@pytest.fixture
def source(clock: ManualClock) -> KeySource:
    return KeySource(clock)


@pytest.fixture
async def provider(source: KeySource, clock: ManualClock) -> AsyncIterator[KeyProvider]:
    """A provider that has the key "old"; its first cool-down is over."""
    provider = KeyProvider(ISSUER, source.fetch, TOKENS, clock)
    await provider.start()
    await clock.advance(10)
    yield provider
    await provider.close()
