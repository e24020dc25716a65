"""Failed signatures, revocation, stale keys and the refresh interval."""

import asyncio

import pytest

from gateway.auth.jwks.fetch import KeysUnavailable
from gateway.auth.jwks.key_provider import MAX_WAITERS, KeyProvider
from gateway.auth.jwks.key_set import KeySet, parse_key_set
from gateway.errors.tree import IdentityUnavailable, Unauthenticated
from gateway.settings.schema import Tokens
from tests.gateway.auth.jwks.conftest import TOKENS, KeySource
from tests.gateway.auth.manual_clock import ManualClock, run_ready_tasks
from tests.gateway.auth.token_factory import ISSUER, encode_jwk_set, get_signing_key


async def test_a_failed_signature_causes_a_fetch_at_once_after_the_cooldown(
    provider: KeyProvider, source: KeySource
) -> None:
    assert not await provider.refetch(provider.version)
    source.ids.add("new")
    await source.clock.advance(5)
    version = provider.version
    assert await provider.refetch(version)
    assert await provider.refetch(version)  # the keys have changed: no further fetch
    assert len(source.fetched_at) == 3


async def test_failed_signatures_within_the_cooldown_cause_one_fetch_at_its_end(
    provider: KeyProvider, source: KeySource, clock: ManualClock
) -> None:
    await provider.refetch(provider.version)
    source.ids.add("new")
    for _ in range(1_000):
        assert not await provider.refetch(provider.version)
    await clock.advance(4.9)
    assert provider.version == 1
    await clock.advance(0.1)
    assert (provider.version, source.fetched_at) == (2, [1_000, 1_010, 1_015])


async def test_a_failed_signature_waits_for_the_fetch_in_flight(
    provider: KeyProvider, source: KeySource
) -> None:
    source.ids.add("new")
    source.gate.clear()
    waiting = [asyncio.create_task(provider.refetch(1)) for _ in range(MAX_WAITERS + 1)]
    await run_ready_tasks()
    (refused,) = (task for task in waiting if task.done())
    with pytest.raises(IdentityUnavailable):
        await refused
    source.gate.set()
    waiting.remove(refused)
    assert sum(await asyncio.gather(*waiting)) == MAX_WAITERS
    assert len(source.fetched_at) == 2


async def test_a_published_empty_set_revokes_all_keys(
    provider: KeyProvider,
    source: KeySource,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source.ids.clear()
    await clock.advance(300)
    assert (provider.health(), provider.version) == ("no keys", 2)
    assert [record.msg for record in caplog.records] == ["keys.changed"]
    await clock.advance(5)
    with pytest.raises(Unauthenticated, match="unknown_key"):
        await provider.get_keys("old", "ES256")


async def test_stale_keys_are_used_until_the_limit(
    source: KeySource, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens(keys_refresh_seconds=300, keys_max_stale_seconds=900)
    provider = KeyProvider(ISSUER, source.fetch, tokens, clock)
    await provider.start()
    source.error = KeysUnavailable("down")
    for _ in range(899):
        await clock.advance(1)
    assert await provider.get_keys("old", "ES256")
    assert provider.health() == "stale"
    for _ in range(6):
        await clock.advance(1)
    assert (provider.health(), provider.version) == ("no keys", 2)
    assert any(message.startswith("keys.expired ") for message in caplog.messages)
    with pytest.raises(IdentityUnavailable):
        await provider.get_keys("old", "ES256")
    source.error = None
    for _ in range(6):
        await clock.advance(1)
    assert await provider.get_keys("old", "ES256")
    assert provider.version == 3
    await provider.close()


@pytest.mark.parametrize(
    ("interval", "cooldown"), [(300, 5), (300, 7), (300, 250), (300, 300), (10, 60), (0.5, 5)]
)
async def test_the_refresh_interval_is_exact(
    source: KeySource, clock: ManualClock, interval: float, cooldown: float
) -> None:
    tokens = Tokens(keys_refresh_seconds=interval, keys_cooldown_seconds=cooldown)
    provider = KeyProvider(ISSUER, source.fetch, tokens, clock)
    await provider.start()
    for _ in range(1_600):
        await clock.advance(0.5)
        if len(source.fetched_at) == 3:
            break
    await provider.close()
    assert source.fetched_at == [1_000 + interval * number for number in range(3)]


async def test_keys_that_are_not_usable_are_logged_once(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    published = [
        get_signing_key("ES256").jwk(),
        get_signing_key("RS256", "weak").jwk(n="AQAB"),
        get_signing_key("RS256", "enc").jwk(use="enc"),
    ]

    async def fetch() -> KeySet:
        return parse_key_set(encode_jwk_set(*published), ["ES256", "RS256"])

    provider = KeyProvider(ISSUER, fetch, TOKENS, clock)
    await provider.start()
    await clock.advance(300)
    assert [(record.levelname, record.msg) for record in caplog.records] == [
        ("WARNING", "keys.ignored")
    ]
    assert caplog.records[0].__dict__["fields"] == {
        "issuer": ISSUER,
        "key_id": "weak",
        "reason": "RSA with 17 bits; it must have 2048 to 8192",
    }
    await clock.advance(5)
    with pytest.raises(Unauthenticated) as raised:
        await provider.get_keys("weak", "RS256")
    assert raised.value.explanation.startswith('the key with the kid "weak" is not usable: RSA')
    await provider.close()
