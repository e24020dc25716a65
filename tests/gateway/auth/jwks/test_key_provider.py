"""When keys are fetched, which tokens wait for a fetch, and which get a 401 or a 503."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from gateway.auth.jwks.fetch import KeysUnavailable
from gateway.auth.jwks.key_provider import (
    MAX_RETRY_AFTER,
    MAX_WAITERS,
    KeyProvider,
    count_waiters,
)
from gateway.errors.tree import IdentityUnavailable, Unauthenticated
from tests.gateway.auth.jwks.conftest import TOKENS, KeySource
from tests.gateway.auth.manual_clock import ManualClock, run_ready_tasks
from tests.gateway.auth.token_factory import ISSUER

RequestKey = Callable[[str], asyncio.Task[object]]


@pytest.fixture
def request_key(provider: KeyProvider) -> RequestKey:
    """Start a task that asks for a key."""
    return lambda kid: asyncio.create_task(provider.get_keys(kid, "ES256"))


async def test_a_known_key_costs_no_fetch(provider: KeyProvider, source: KeySource) -> None:
    for _ in range(100):
        await provider.get_keys("old", "ES256")
    assert len(source.fetched_at) == 1


async def test_a_new_key_is_fetched_at_once(provider: KeyProvider, source: KeySource) -> None:
    source.ids.add("new")
    await provider.get_keys("new", "ES256")
    assert len(source.fetched_at) == 2


async def test_tasks_that_wait_share_one_fetch(source: KeySource, request_key: RequestKey) -> None:
    source.ids.add("new")
    source.gate.clear()
    requested = [request_key("new") for _ in range(50)]
    await run_ready_tasks()
    source.gate.set()
    assert all(await asyncio.gather(*requested))
    assert len(source.fetched_at) == 2


async def test_a_key_published_during_the_cooldown_is_found_by_the_next_fetch(
    source: KeySource, request_key: RequestKey, clock: ManualClock
) -> None:
    with pytest.raises(Unauthenticated):
        await request_key("unknown")
    source.ids.add("new")
    valid = request_key("new")
    await clock.advance(4.9)
    assert not valid.done()
    await clock.advance(0.2)
    assert await valid


async def test_a_fetch_that_started_before_the_token_arrived_does_not_refuse_it(
    source: KeySource, request_key: RequestKey, clock: ManualClock
) -> None:
    source.gate.clear()
    unknown = request_key("unknown")
    await run_ready_tasks()
    source.ids.add("new")  # too late for the response in flight
    valid = request_key("new")
    await run_ready_tasks()
    source.gate.set()
    with pytest.raises(Unauthenticated):
        await unknown
    await run_ready_tasks()
    assert not valid.done()
    await clock.advance(5)
    assert await valid


async def test_a_token_that_arrives_during_the_first_fetch_waits_for_that_one_only(
    source: KeySource, clock: ManualClock
) -> None:
    provider = KeyProvider(ISSUER, source.fetch, TOKENS, clock)
    source.gate.clear()
    starting = asyncio.create_task(provider.start())
    await run_ready_tasks()
    requested = asyncio.create_task(provider.get_keys("old", "ES256"))
    await run_ready_tasks()
    source.gate.set()
    await run_ready_tasks()
    assert requested.done()
    await starting
    await provider.close()


async def test_an_unknown_key_is_refused_only_after_a_later_fetch(
    source: KeySource, request_key: RequestKey, clock: ManualClock
) -> None:
    with pytest.raises(Unauthenticated, match="unknown_key"):
        await request_key("unknown")
    second = request_key("unknown")
    await clock.advance(4)
    assert not second.done()
    await clock.advance(1)
    with pytest.raises(Unauthenticated, match="unknown_key"):
        await second
    assert source.fetched_at == [1_000, 1_010, 1_015]


async def test_ten_thousand_unknown_keys_cost_one_fetch_per_cooldown(
    source: KeySource, request_key: RequestKey, clock: ManualClock
) -> None:
    requested: list[asyncio.Task[object]] = []
    for burst in range(20):
        requested += [request_key(f"unknown {burst} {number}") for number in range(500)]
        await clock.advance(1)
        assert sum(not task.done() for task in requested) <= MAX_WAITERS
    await clock.advance(5)
    responses = await asyncio.gather(*requested, return_exceptions=True)
    assert {type(response) for response in responses} == {Unauthenticated, IdentityUnavailable}
    gaps = [b - a for a, b in zip(source.fetched_at, source.fetched_at[1:], strict=False)]
    assert min(gaps) >= 5
    assert len(source.fetched_at) <= 1 + 1 + 25 // 5


async def test_beyond_the_maximum_of_waiters_a_token_gets_a_503(
    request_key: RequestKey, clock: ManualClock
) -> None:
    with pytest.raises(Unauthenticated):
        await request_key("unknown")
    await clock.advance(2)
    waiting = [request_key(f"unknown {number}") for number in range(MAX_WAITERS)]
    await run_ready_tasks()
    with pytest.raises(IdentityUnavailable) as raised:
        await request_key("one more")
    assert raised.value.retry_after == 3
    assert raised.value.explanation == "too many requests wait for unknown keys"
    assert not any(task.done() for task in waiting)
    await clock.advance(3)
    responses = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(response) for response in responses} == {Unauthenticated}


@pytest.mark.parametrize(
    ("max_in_flight", "waiters"), [(1, 1), (19, 1), (20, 2), (1_000, 100), (10**9, MAX_WAITERS)]
)
def test_a_tenth_of_the_requests_in_flight_may_wait(max_in_flight: int, waiters: int) -> None:
    assert count_waiters(max_in_flight) == waiters


async def test_after_a_failed_fetch_a_token_gets_a_503_with_the_rest_of_the_cooldown(
    source: KeySource, request_key: RequestKey, clock: ManualClock
) -> None:
    source.error = KeysUnavailable("down")
    with pytest.raises(IdentityUnavailable):
        await request_key("new")
    await clock.advance(2)
    with pytest.raises(IdentityUnavailable) as raised:
        await request_key("new")
    assert raised.value.retry_after == 3
    assert (raised.value.issuer, raised.value.explanation) == (ISSUER, "down")
    assert await request_key("old")
    assert len(source.fetched_at) == 2


async def test_an_error_without_a_message_is_a_failure(
    source: KeySource, request_key: RequestKey
) -> None:
    source.error = KeysUnavailable()
    for _ in range(2):
        with pytest.raises(IdentityUnavailable):
            await request_key("new")
    assert len(source.fetched_at) == 2


async def test_a_token_that_arrives_during_a_retry_waits_for_it(
    source: KeySource, request_key: RequestKey, clock: ManualClock
) -> None:
    source.error = KeysUnavailable("down")
    with pytest.raises(IdentityUnavailable):
        await request_key("new")
    source.error = None
    source.ids.add("new")
    source.gate.clear()
    await clock.advance(5)
    requested = request_key("new")
    await run_ready_tasks()
    source.gate.set()
    assert await requested


async def test_the_refresh_recovers_after_a_failure(
    provider: KeyProvider, source: KeySource, request_key: RequestKey
) -> None:
    source.error = KeysUnavailable("down")
    with pytest.raises(IdentityUnavailable):
        await request_key("new")
    assert provider.health() == "stale"
    source.error = None
    source.ids.add("new")
    await source.clock.advance(5)
    assert provider.health() == "ok"
    assert await request_key("new")
    assert len(source.fetched_at) == 3


async def test_a_failed_start_is_retried_after_the_cooldown(
    source: KeySource, clock: ManualClock
) -> None:
    provider = KeyProvider(ISSUER, source.fetch, TOKENS, clock)
    source.error = KeysUnavailable("down")
    assert await provider.start() == "down"
    await run_ready_tasks()
    assert provider.health() == "no keys"
    source.error = None
    await clock.advance(5)
    assert provider.health() == "ok"
    await provider.close()


async def test_an_unexpected_error_is_a_failed_fetch(
    provider: KeyProvider,
    source: KeySource,
    request_key: RequestKey,
    caplog: pytest.LogCaptureFixture,
) -> None:
    source.error = RuntimeError("a bug")
    with pytest.raises(IdentityUnavailable):
        await request_key("new")
    assert provider.health() == "stale"
    assert await request_key("old")
    assert "RuntimeError: a bug" in caplog.text


async def test_cancelling_one_waiter_does_not_cancel_the_fetch(
    source: KeySource, request_key: RequestKey
) -> None:
    source.ids.add("new")
    source.gate.clear()
    cancelled, waiting = request_key("new"), request_key("new")
    await run_ready_tasks()
    cancelled.cancel()
    await run_ready_tasks()
    source.gate.set()
    assert await waiting
    assert cancelled.cancelled()
    assert len(source.fetched_at) == 2


async def test_cancelled_waiters_release_their_slots(request_key: RequestKey) -> None:
    with pytest.raises(Unauthenticated):
        await request_key("unknown")
    for _ in range(3):
        waiting = [request_key("unknown") for _ in range(MAX_WAITERS)]
        await run_ready_tasks()
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_keys_are_refreshed_in_the_background(
    provider: KeyProvider, source: KeySource, clock: ManualClock
) -> None:
    source.ids = {"new"}
    await clock.advance(300)
    assert await provider.get_keys("new", "ES256")
    assert len(source.fetched_at) == 2


async def test_the_version_changes_with_the_keys_and_not_with_the_fetch(
    provider: KeyProvider, source: KeySource, clock: ManualClock
) -> None:
    assert provider.version == 1
    await clock.advance(300)
    assert (provider.version, len(source.fetched_at)) == (1, 2)
    source.ids.add("new")
    await clock.advance(300)
    assert provider.version == 2


async def test_closing_ends_every_task_and_every_wait(
    source: KeySource, clock: ManualClock
) -> None:
    before = asyncio.all_tasks()
    provider = KeyProvider(ISSUER, source.fetch, TOKENS, clock)
    await provider.start()
    waiting = asyncio.create_task(provider.get_keys("new", "ES256"))
    await run_ready_tasks()
    await provider.close()
    with pytest.raises(IdentityUnavailable):
        await waiting
    assert asyncio.all_tasks() == before


async def test_its_repr_shows_its_state(
    provider: KeyProvider, source: KeySource, request_key: RequestKey, clock: ManualClock
) -> None:
    assert repr(provider) == (
        f"<KeyProvider {ISSUER!r} status='ok' keys=1 version=1 fetches_started=1 "
        "is_fetching=False cooldown_left=0.000 last_error=''>"
    )
    source.error = KeysUnavailable("down")
    with pytest.raises(IdentityUnavailable):
        await request_key("new")
    await clock.advance(2)
    assert repr(provider) == (
        f"<KeyProvider {ISSUER!r} status='stale' keys=1 version=1 fetches_started=2 "
        "is_fetching=False cooldown_left=3.000 last_error='down'>"
    )


async def test_changed_keys_and_failed_fetches_are_logged(
    source: KeySource, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.auth")
    provider = KeyProvider(ISSUER, source.fetch, TOKENS, clock)
    await provider.start()
    await run_ready_tasks()
    for error in ("down", "down", "status 500", None, "down"):
        source.error = KeysUnavailable(error) if error else None
        await clock.advance(5 if provider.health() == "stale" else 300)
    await provider.close()
    assert [(record.levelname, record.msg) for record in caplog.records] == [
        ("INFO", "keys.changed"),
        ("WARNING", "keys.fetch_failed"),
        ("WARNING", "keys.fetch_failed"),
        ("INFO", "keys.fetch_recovered"),
        ("WARNING", "keys.fetch_failed"),
    ]


@pytest.mark.parametrize(("demanded", "pause"), [(1, 5), (60, 60), (3_600, MAX_RETRY_AFTER)])
async def test_the_refresh_waits_as_long_as_the_provider_demands(
    provider: KeyProvider, source: KeySource, clock: ManualClock, demanded: float, pause: float
) -> None:
    source.error = KeysUnavailable("status 503 instead of 200", demanded)
    await clock.advance(290)
    failed_at = source.fetched_at[-1]
    source.error = None
    await clock.advance(pause - 1)
    assert source.fetched_at[-1] == failed_at
    await clock.advance(1)
    assert source.fetched_at[-1] == failed_at + pause
    assert provider.health() == "ok"


async def test_a_token_does_not_wait_for_the_pause_that_the_provider_demands(
    source: KeySource, request_key: RequestKey, clock: ManualClock
) -> None:
    source.error = KeysUnavailable("status 503 instead of 200", 60)
    with pytest.raises(IdentityUnavailable):
        await request_key("new")
    source.error = None
    source.ids.add("new")
    await clock.advance(5)
    assert await request_key("new")
