"""The leases of a process: which updates its limiter gets, and when."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from gateway.ratelimit import concurrency_leases
from gateway.ratelimit.concurrency_leases import (
    ConcurrencyLease,
    ConcurrencyLeases,
    renew_leases,
)
from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.limiter import Charge, LeaseUpdate, RedisCheckFailed, Verdict
from gateway.ratelimit.limits import Demand
from gateway.ratelimit.memory import MemoryLimiter
from gateway.ratelimit.open_limits import open_limits
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.rule import Algorithm, Rule
from gateway.request_context import RequestContext
from gateway.resources import Resources
from gateway.settings.schema import Settings
from tests.databases import wait_until
from tests.gateway.ratelimit.charges import charge
from tests.redis_server import RedisServer

RULE = Rule("chats", "chats", Algorithm.CONCURRENCY, quota=5, window=60_000)
LONG = Rule("calls", "calls", Algorithm.CONCURRENCY, quota=5, window=3_600_000_000)


class Limiter(MemoryLimiter):
    """Records the updates; `failure` is how Redis fails."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[tuple[str, bool]]] = []
        self.failure = ""
        self.on_connect: list[Callable[[], None]] = []

    def call_on_connect(self, callback: Callable[[], None]) -> None:
        """Let the test connect."""
        self.on_connect.append(callback)

    def update_leases(  # type: ignore[override]  # as a limiter on Redis does
        self, updates: Sequence[LeaseUpdate]
    ) -> "asyncio.Future[int] | None":
        """Take the updates, or fail at once or later."""
        if self.failure == "at once":
            raise RedisCheckFailed("no connection")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self.failure == "later":
            future.set_exception(RedisCheckFailed("no reply"))
        else:
            self.batches.append([(it.charge.lease_id, it.is_release) for it in updates])
            future.set_result(0)
        return future

    async def wait_for_batches(self, number: int) -> None:
        """Wait until so many batches have arrived."""
        for _ in range(10_000):
            if len(self.batches) >= number:
                return
            await asyncio.sleep(0.001)
        raise AssertionError(f"there are {len(self.batches)} batches")


def hold(
    leases: ConcurrencyLeases, rule: Rule = RULE, context: RequestContext | None = None
) -> ConcurrencyLease:
    """Take a lease as a request does."""
    lease = leases.open(context or RequestContext())
    lease.take([Charge(rule, make_key(rule, "user:1")), charge(5)])
    lease.accept(Verdict(admitted=True))
    return lease


async def test_the_end_of_the_request_releases_its_lease_once() -> None:
    limiter, context = Limiter(), RequestContext()
    leases = ConcurrencyLeases(limiter)
    lease = hold(leases, context=context)
    assert len(leases) == 1
    context.end()
    context.end()
    lease.release()
    assert limiter.batches == [[(lease.id, True)]]
    assert not leases


async def test_a_refused_request_and_one_without_a_concurrency_limit_release_nothing() -> None:
    limiter, context = Limiter(), RequestContext()
    leases = ConcurrencyLeases(limiter)
    refused = leases.open(context)
    refused.take([Charge(RULE, make_key(RULE, "user:1"))])
    refused.accept(Verdict(admitted=False))
    leases.open(context).take([charge(5)])
    context.end()
    assert limiter.batches == []


async def test_a_shadow_rule_holds_no_lease_that_it_would_have_refused() -> None:
    limiter, context = Limiter(), RequestContext()
    leases = ConcurrencyLeases(limiter)
    lease = leases.open(context)
    lease.take([Charge(rule, make_key(rule, "user:1")) for rule in (RULE, LONG)])
    lease.accept(Verdict(admitted=True, shadow_refused_by=(RULE.policy,)))
    assert [it.charge.rule for it in lease.list_updates(is_release=True)] == [LONG]
    lease.accept(Verdict(admitted=True, shadow_refused_by=(LONG.policy,)))
    assert not leases
    context.end()
    assert limiter.batches == []


async def test_a_lease_is_not_renewed_before_its_verdict() -> None:
    limiter, context = Limiter(), RequestContext()
    leases = ConcurrencyLeases(limiter)
    async with renew_leases(leases):
        pending = leases.open(context)
        pending.take([Charge(RULE, make_key(RULE, "user:1"))])
        held = hold(leases)
        await limiter.wait_for_batches(2)
        leases.renew_all()
        await limiter.wait_for_batches(len(limiter.batches) + 1)
        assert limiter.batches == [[(held.id, False)]] * len(limiter.batches)
        pending.accept(Verdict(admitted=True))
        await limiter.wait_for_batches(len(limiter.batches) + 1)
        assert (pending.id, False) in limiter.batches[-1]
        context.end()  # also without a verdict, as Redis may have granted it
        assert limiter.batches[-1] == [(pending.id, True)]


async def test_ids_are_different_in_all_processes() -> None:
    context = RequestContext()
    ids = {it.open(context).id for it in (ConcurrencyLeases(Limiter()),) * 2}
    assert len(ids | {ConcurrencyLeases(Limiter()).open(context).id}) == 3


async def test_held_leases_are_renewed_until_their_release() -> None:
    limiter = Limiter()
    leases = ConcurrencyLeases(limiter)
    async with renew_leases(leases):
        await asyncio.sleep(0)
        long, short = hold(leases, LONG), hold(leases)
        await limiter.wait_for_batches(3)
        assert limiter.batches == [[(short.id, False)]] * len(limiter.batches)
        short.release()
        limiter.batches.clear()
        await asyncio.sleep(0.1)
        assert limiter.batches == []
        assert len(leases) == 1
        long.release()


async def test_a_new_connection_gets_all_leases_at_once_in_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concurrency_leases, "MAX_BATCH", 4)
    limiter = Limiter()
    leases = ConcurrencyLeases(limiter)
    async with renew_leases(leases):
        held = [hold(leases, LONG) for _ in range(10)]
        [reconnect] = limiter.on_connect
        reconnect()
        await limiter.wait_for_batches(3)
        assert [len(batch) for batch in limiter.batches] == [4, 4, 2]
        assert {it for batch in limiter.batches for it in batch} == {
            (lease.id, False) for lease in held
        }


@pytest.mark.parametrize("failure", ["at once", "later"])
async def test_a_release_that_redis_has_missed_is_sent_again(failure: str) -> None:
    limiter = Limiter()
    leases = ConcurrencyLeases(limiter)
    async with renew_leases(leases):
        await asyncio.sleep(0)
        lease = hold(leases, LONG)
        limiter.failure = failure
        lease.release()
        await asyncio.sleep(0.01)
        assert limiter.batches == []
        limiter.failure = ""
        limiter.on_connect[0]()
        await limiter.wait_for_batches(1)
        assert limiter.batches == [[(lease.id, True)]]


async def test_a_release_is_forgotten_once_its_lease_has_expired() -> None:
    limiter = Limiter()
    leases = ConcurrencyLeases(limiter)
    async with renew_leases(leases):
        limiter.failure = "at once"
        hold(leases).release()
        await wait_until(lambda: "0 releases unsent" in repr(leases))
        limiter.failure = ""
        limiter.on_connect[0]()
        await asyncio.sleep(0.1)
        assert limiter.batches == []


async def test_the_releases_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency_leases, "MAX_UNSENT", 3)
    limiter = Limiter()
    leases = ConcurrencyLeases(limiter)
    limiter.failure = "at once"
    for _ in range(5):
        hold(leases, LONG).release()
    assert "3 releases unsent" in repr(leases)


async def test_a_renewal_that_fails_is_tried_again_before_the_lease_expires() -> None:
    limiter = Limiter()
    leases = ConcurrencyLeases(limiter)
    async with renew_leases(leases):
        limiter.failure = "later"
        lease = hold(leases)
        await asyncio.sleep(0.05)
        limiter.failure = ""
        await limiter.wait_for_batches(1)
        assert limiter.batches[0] == [(lease.id, False)]


async def test_nothing_runs_while_no_lease_is_held() -> None:
    leases = ConcurrencyLeases(Limiter())
    task = asyncio.create_task(leases.run())
    hold(leases).release()
    await wait_until(lambda: leases._is_idle)
    loop = asyncio.get_running_loop()
    assert not [it for it in loop._scheduled if not it._cancelled]  # type: ignore[attr-defined]
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("url", [None, "redis"])
async def test_a_request_without_a_lease_is_an_error_and_not_admitted(
    url: str | None, redis_server: RedisServer
) -> None:
    """It would count as the same request as all others without one."""
    settings = Settings(redis_url=url and redis_server.url)
    demand = Demand(ConcurrencyLimit("chats", 5), "user:1")
    async with open_limits(settings, {}, Resources()) as limits:
        with pytest.raises(ValueError, match="policy chats: a request under a concurrency limit"):
            await limits.enforce([demand])
        with pytest.raises(ValueError, match="needs a lease"):
            await limits.reserve([demand])
        look = await limits.enforce([Demand(demand.policy, "user:1", cost=0)])
        assert look.standings[0].remaining == 5
