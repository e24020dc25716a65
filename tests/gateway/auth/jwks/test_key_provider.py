"""When keys are fetched, who waits for it, and who is told to come back later."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.auth.jwks.fetch import KeysUnavailable
from gateway.auth.jwks.key_provider import MAX_WAITERS, KeyProvider
from gateway.auth.jwks.key_set import KeySet, parse_key_set
from gateway.errors.tree import IdentityUnavailable, Unauthenticated
from gateway.settings.schema import Tokens
from tests.gateway.auth.manual_clock import ManualClock, run_ready_tasks
from tests.gateway.auth.token_factory import ISSUER, encode_jwk_set, get_signing_key

TOKENS = Tokens(keys_refresh_seconds=300, keys_cooldown_seconds=5)


class Source:
    """Keys published somewhere, with a gate that can hold an answer back."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.ids = {"old"}
        self.failing: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.fetched_at: list[float] = []

    async def fetch(self) -> KeySet:
        """What is published now, once the gate is open."""
        self.fetched_at.append(self.clock.time)
        ids = sorted(self.ids)
        await self.gate.wait()
        if self.failing:
            raise self.failing
        return parse_key_set(
            encode_jwk_set(*(get_signing_key("ES256", kid).jwk() for kid in ids)), ["ES256"]
        )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000)


@pytest.fixture
def source(clock: ManualClock) -> Source:
    return Source(clock)


@pytest.fixture
async def provider(source: Source, clock: ManualClock) -> AsyncIterator[KeyProvider]:
    """A provider that has the old key, and is out of its first cool-down."""
    provider = KeyProvider(ISSUER, source.fetch, TOKENS, clock)
    await provider.start()
    await clock.advance(10)
    yield provider
    await provider.close()


Ask = Callable[[str], asyncio.Task[object]]


@pytest.fixture
def ask(provider: KeyProvider) -> Ask:
    """Begins to look for a key."""
    return lambda kid: asyncio.create_task(provider.get_key(kid, "ES256"))


async def test_a_known_key_costs_no_fetch(provider: KeyProvider, source: Source) -> None:
    for _ in range(100):
        await provider.get_key("old", "ES256")
    assert len(source.fetched_at) == 1


async def test_a_new_key_is_fetched_at_once(provider: KeyProvider, source: Source) -> None:
    source.ids.add("new")
    await provider.get_key("new", "ES256")
    assert len(source.fetched_at) == 2


async def test_many_who_ask_share_one_fetch(source: Source, ask: Ask) -> None:
    source.ids.add("new")
    source.gate.clear()
    asked = [ask("new") for _ in range(50)]
    await run_ready_tasks()
    source.gate.set()
    assert all(await asyncio.gather(*asked))
    assert len(source.fetched_at) == 2


async def test_a_key_published_in_the_cooldown_is_waited_for(
    source: Source, ask: Ask, clock: ManualClock
) -> None:
    with pytest.raises(Unauthenticated):
        await ask("noise")
    source.ids.add("new")
    good = ask("new")
    await clock.advance(4.9)
    assert not good.done()
    await clock.advance(0.2)
    assert await good


async def test_a_fetch_begun_before_the_token_came_does_not_condemn_it(
    source: Source, ask: Ask, clock: ManualClock
) -> None:
    source.gate.clear()
    noise = ask("noise")
    await run_ready_tasks()
    source.ids.add("new")  # too late for the answer that is under way
    good = ask("new")
    await run_ready_tasks()
    source.gate.set()
    with pytest.raises(Unauthenticated):
        await noise
    await run_ready_tasks()
    assert not good.done()
    await clock.advance(5)
    assert await good


async def test_who_comes_while_the_first_keys_are_fetched_waits_for_no_more(
    source: Source, clock: ManualClock
) -> None:
    provider = KeyProvider(ISSUER, source.fetch, TOKENS, clock)
    source.gate.clear()
    starting = asyncio.create_task(provider.start())
    await run_ready_tasks()
    asked = asyncio.create_task(provider.get_key("old", "ES256"))
    await run_ready_tasks()
    source.gate.set()
    await run_ready_tasks()
    assert asked.done()
    await starting
    await provider.close()


async def test_an_unknown_key_is_refused_only_after_a_later_fetch(
    source: Source, ask: Ask, clock: ManualClock
) -> None:
    with pytest.raises(Unauthenticated, match="unknown_key"):
        await ask("noise")
    second = ask("noise")
    await clock.advance(4)
    assert not second.done()
    await clock.advance(1)
    with pytest.raises(Unauthenticated, match="unknown_key"):
        await second
    assert source.fetched_at == [1_000, 1_010, 1_015]


async def test_ten_thousand_unknown_keys_cost_one_fetch_per_cooldown(
    source: Source, ask: Ask, clock: ManualClock
) -> None:
    asked: list[asyncio.Task[object]] = []
    for burst in range(20):
        asked += [ask(f"noise {burst} {number}") for number in range(500)]
        await clock.advance(1)
        assert sum(not one.done() for one in asked) <= MAX_WAITERS
    await clock.advance(5)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unauthenticated, IdentityUnavailable}
    gaps = [b - a for a, b in zip(source.fetched_at, source.fetched_at[1:], strict=False)]
    assert min(gaps) >= 5
    assert len(source.fetched_at) <= 1 + 1 + 25 // 5


async def test_beyond_the_bound_one_is_told_to_come_back(ask: Ask, clock: ManualClock) -> None:
    with pytest.raises(Unauthenticated):
        await ask("noise")
    await clock.advance(2)
    waiting = [ask(f"noise {number}") for number in range(MAX_WAITERS)]
    await run_ready_tasks()
    with pytest.raises(IdentityUnavailable) as refusal:
        await ask("one more")
    assert refusal.value.retry_after == 3
    assert not any(one.done() for one in waiting)
    await clock.advance(3)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unauthenticated}


async def test_after_a_failed_fetch_one_is_told_at_once_how_long_to_wait(
    source: Source, ask: Ask, clock: ManualClock
) -> None:
    source.failing = KeysUnavailable("down")
    with pytest.raises(IdentityUnavailable):
        await ask("new")
    await clock.advance(2)
    with pytest.raises(IdentityUnavailable) as refusal:
        await ask("new")
    assert refusal.value.retry_after == 3
    assert await ask("old")
    assert len(source.fetched_at) == 2


async def test_a_failure_without_words_is_a_failure(source: Source, ask: Ask) -> None:
    source.failing = KeysUnavailable()
    for _ in range(2):
        with pytest.raises(IdentityUnavailable):
            await ask("new")
    assert len(source.fetched_at) == 2


async def test_who_comes_while_a_failed_fetch_is_tried_again_waits_for_it(
    source: Source, ask: Ask, clock: ManualClock
) -> None:
    source.failing = KeysUnavailable("down")
    with pytest.raises(IdentityUnavailable):
        await ask("new")
    source.failing = None
    source.ids.add("new")
    source.gate.clear()
    await clock.advance(5)
    asked = ask("new")
    await run_ready_tasks()
    source.gate.set()
    assert await asked


async def test_it_recovers_by_itself(provider: KeyProvider, source: Source, ask: Ask) -> None:
    source.failing = KeysUnavailable("down")
    with pytest.raises(IdentityUnavailable):
        await ask("new")
    assert provider.health() == "stale"
    source.failing = None
    source.ids.add("new")
    await source.clock.advance(5)
    assert provider.health() == "ok"
    assert await ask("new")
    assert len(source.fetched_at) == 3


async def test_a_failed_start_is_tried_again_after_the_cooldown(
    source: Source, clock: ManualClock
) -> None:
    provider = KeyProvider(ISSUER, source.fetch, TOKENS, clock)
    source.failing = KeysUnavailable("down")
    assert await provider.start() == "down"
    await run_ready_tasks()
    assert provider.health() == "no keys"
    source.failing = None
    await clock.advance(5)
    assert provider.health() == "ok"
    await provider.close()


async def test_what_nobody_foresaw_is_a_failed_fetch(
    provider: KeyProvider, source: Source, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    source.failing = RuntimeError("a bug")
    with pytest.raises(IdentityUnavailable):
        await ask("new")
    assert provider.health() == "stale"
    assert await ask("old")
    assert "RuntimeError: a bug" in caplog.text


async def test_who_stops_waiting_stops_nobody_else(source: Source, ask: Ask) -> None:
    source.ids.add("new")
    source.gate.clear()
    impatient, patient = ask("new"), ask("new")
    await run_ready_tasks()
    impatient.cancel()
    await run_ready_tasks()
    source.gate.set()
    assert await patient
    assert impatient.cancelled()
    assert len(source.fetched_at) == 2


async def test_the_places_of_those_who_stop_waiting_are_free_again(ask: Ask) -> None:
    with pytest.raises(Unauthenticated):
        await ask("noise")
    for _ in range(3):
        waiting = [ask("noise") for _ in range(MAX_WAITERS)]
        await run_ready_tasks()
        assert not any(one.done() for one in waiting)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_keys_are_refreshed_in_the_background(
    provider: KeyProvider, source: Source, clock: ManualClock
) -> None:
    source.ids = {"new"}
    await clock.advance(300)
    assert await provider.get_key("new", "ES256")
    assert len(source.fetched_at) == 2


async def test_the_version_changes_with_the_keys_and_not_with_the_fetch(
    provider: KeyProvider, source: Source, clock: ManualClock
) -> None:
    assert provider.version == 1
    await clock.advance(300)
    assert (provider.version, len(source.fetched_at)) == (1, 2)
    source.ids.add("new")
    await clock.advance(300)
    assert provider.version == 2


async def test_closing_ends_every_task_and_whoever_waits(
    source: Source, clock: ManualClock
) -> None:
    before = asyncio.all_tasks()
    provider = KeyProvider(ISSUER, source.fetch, TOKENS, clock)
    await provider.start()
    waiting = asyncio.create_task(provider.get_key("new", "ES256"))
    await run_ready_tasks()
    await provider.close()
    with pytest.raises(IdentityUnavailable):
        await waiting
    assert asyncio.all_tasks() == before


async def test_its_repr_shows_its_state(
    provider: KeyProvider, source: Source, ask: Ask, clock: ManualClock
) -> None:
    assert repr(provider) == (
        f"<KeyProvider {ISSUER!r} status='ok' keys=1 version=1 fetches_started=1 "
        "is_fetching=False cooldown_left=0.000 last_error=''>"
    )
    source.failing = KeysUnavailable("down")
    with pytest.raises(IdentityUnavailable):
        await ask("new")
    await clock.advance(2)
    assert repr(provider) == (
        f"<KeyProvider {ISSUER!r} status='stale' keys=1 version=1 fetches_started=2 "
        "is_fetching=False cooldown_left=3.000 last_error='down'>"
    )


async def test_changed_keys_and_failed_fetches_are_logged(
    source: Source, ask: Ask, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.auth")
    provider = KeyProvider(ISSUER, source.fetch, TOKENS, clock)
    await provider.start()
    source.failing = KeysUnavailable("down")
    await clock.advance(300)
    await provider.close()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "keys.changed"),
        ("WARNING", "keys.fetch_failed"),
    ]
