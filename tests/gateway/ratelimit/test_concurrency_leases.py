"""The leases of a process: which updates the store gets, and when."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from itertools import pairwise
from typing import Any

import pytest

from gateway.ratelimit import concurrency_leases
from gateway.ratelimit.concurrency_leases import (
    ConcurrencyLease,
    ConcurrencyLeases,
    LeaseState,
    renew_leases,
)
from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.limiter import (
    Charge,
    LeaseStore,
    LeaseUpdate,
    RedisCheckFailed,
    Verdict,
)
from gateway.ratelimit.limits import Demand
from gateway.ratelimit.open_limits import open_limits
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.rule import Algorithm, Rule
from gateway.request_context import RequestContext
from gateway.resources import Resources
from gateway.settings.schema import Settings
from gateway.testing import run_in_virtual_time
from tests.gateway.ratelimit.charges import charge
from tests.redis_server import RedisServer

RULE = Rule("chats", "chats", Algorithm.CONCURRENCY, quota=5, window=60_000)
LONG = Rule("calls", "calls", Algorithm.CONCURRENCY, quota=5, window=3_600_000_000)


class Store(LeaseStore):
    """Keeps the updates, and the times at which they came; `failure` is how Redis fails."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[str, bool]]] = []
        self.times: list[float] = []
        self.failure = ""
        self.on_connect: list[Callable[[], None]] = []

    def call_on_connect(self, callback: Callable[[], None]) -> None:
        """Let the test connect."""
        self.on_connect.append(callback)

    def update_leases(self, updates: Sequence[LeaseUpdate]) -> asyncio.Future[int]:
        """Take the updates, or fail at once or later."""
        if self.failure == "at once":
            raise RedisCheckFailed("no connection")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        if self.failure == "later":
            future.set_exception(RedisCheckFailed("no reply"))
        else:
            self.batches.append([(it.charge.lease_id, it.is_release) for it in updates])
            self.times.append(loop.time())
            future.set_result(0)
        return future


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on a loop whose clock stands still while there is anything to do."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        run_in_virtual_time(test(*args, **kwargs))

    return run


def hold(
    leases: ConcurrencyLeases, rule: Rule = RULE, context: RequestContext | None = None
) -> ConcurrencyLease:
    """Take a lease as a request does."""
    lease = leases.open(context or RequestContext())
    lease.take([charge_lease(lease, rule), charge(5)])
    lease.accept(Verdict(admitted=True))
    return lease


def charge_lease(lease: ConcurrencyLease, rule: Rule = RULE) -> Charge:
    """Charge a lease to a caller."""
    return Charge(rule, make_key(rule, "user:1"), lease_id=lease.lease_id)


async def test_the_end_of_the_request_releases_its_lease_once() -> None:
    store, context = Store(), RequestContext()
    leases = ConcurrencyLeases(store)
    lease = hold(leases, context=context)
    assert len(leases) == 1
    assert repr(lease).endswith("held, lockgate:{user:1}:chats:held>")
    context.end()
    context.end()
    lease.release()
    assert store.batches == [[(lease.lease_id, True)]]
    assert not leases


async def test_a_refused_request_and_one_without_a_concurrency_limit_release_nothing() -> None:
    store, context = Store(), RequestContext()
    leases = ConcurrencyLeases(store)
    refused = leases.open(context)
    refused.take([charge_lease(refused)])
    refused.accept(Verdict(admitted=False))
    leases.open(context).take([charge(5)])
    context.end()
    assert store.batches == []


async def test_a_verdict_that_arrives_after_the_end_of_the_request_changes_nothing() -> None:
    store, context = Store(), RequestContext()
    leases = ConcurrencyLeases(store)
    lease = leases.open(context)
    states = [lease.state]
    lease.take([charge_lease(lease)])
    states.append(lease.state)
    context.end()
    lease.accept(Verdict(admitted=True))
    states.append(lease.state)
    assert states == [LeaseState.NEW, LeaseState.PENDING, LeaseState.RELEASED]
    assert store.batches == [[(lease.lease_id, True)]]
    assert not leases


async def test_a_shadow_rule_holds_no_lease_that_it_would_have_refused() -> None:
    store, context = Store(), RequestContext()
    leases = ConcurrencyLeases(store)
    lease = leases.open(context)
    lease.take([charge_lease(lease, rule) for rule in (RULE, LONG)])
    lease.accept(Verdict(admitted=True, shadow_refused_by=(RULE.policy,)))
    assert [it.charge.rule for it in lease.list_updates(is_release=True)] == [LONG]
    lease.release()
    store.batches.clear()
    lease = leases.open(context)
    lease.take([charge_lease(lease)])
    lease.accept(Verdict(admitted=True, shadow_refused_by=(RULE.policy,)))
    assert not leases
    context.end()
    assert store.batches == []


@in_virtual_time
async def test_a_lease_is_not_renewed_before_its_verdict() -> None:
    store, context = Store(), RequestContext()
    leases = ConcurrencyLeases(store)
    async with renew_leases(leases):
        pending = leases.open(context)
        pending.take([charge_lease(pending)])
        held = hold(leases)
        await asyncio.sleep(0.1)
        leases.renew_all()
        await asyncio.sleep(0.1)
        assert len(store.batches) > 1
        assert store.batches == [[(held.lease_id, False)]] * len(store.batches)
        pending.accept(Verdict(admitted=True))
        await asyncio.sleep(0.1)
        assert (pending.lease_id, False) in {it for batch in store.batches for it in batch}
        context.end()  # also without a verdict, as Redis may have granted it
        assert store.batches[-1] == [(pending.lease_id, True)]


async def test_ids_are_different_in_all_processes() -> None:
    context = RequestContext()
    ids = {it.open(context).lease_id for it in (ConcurrencyLeases(Store()),) * 2}
    assert len(ids | {ConcurrencyLeases(Store()).open(context).lease_id}) == 3


@in_virtual_time
async def test_held_leases_are_renewed_in_time_until_their_release() -> None:
    """At the latest when half of the time of a lease, 60 ms, has passed."""
    store = Store()
    leases = ConcurrencyLeases(store)
    async with renew_leases(leases):
        await asyncio.sleep(0.001)
        held_at = asyncio.get_running_loop().time()
        long, short = hold(leases, LONG), hold(leases)
        await asyncio.sleep(1)
        assert store.batches == [[(short.lease_id, False)]] * len(store.batches)
        pauses = [later - at for at, later in pairwise([held_at, *store.times, held_at + 1])]
        assert max(pauses) <= 0.0301
        short.release()
        store.batches.clear()
        await asyncio.sleep(1)
        assert store.batches == []
        assert len(leases) == 1
        long.release()


@in_virtual_time
async def test_a_new_connection_gets_all_leases_at_once_in_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(concurrency_leases, "MAX_BATCH", 4)
    store = Store()
    leases = ConcurrencyLeases(store)
    async with renew_leases(leases):
        held = [hold(leases, LONG) for _ in range(10)]
        [reconnect] = store.on_connect
        reconnect()
        await asyncio.sleep(0.001)
        assert [len(batch) for batch in store.batches] == [4, 4, 2]
        assert {it for batch in store.batches for it in batch} == {
            (lease.lease_id, False) for lease in held
        }


@pytest.mark.parametrize("failure", ["at once", "later"])
@in_virtual_time
async def test_a_release_that_redis_has_missed_is_sent_again(failure: str) -> None:
    store = Store()
    leases = ConcurrencyLeases(store)
    async with renew_leases(leases):
        await asyncio.sleep(0.001)
        lease = hold(leases, LONG)
        store.failure = failure
        lease.release()
        await asyncio.sleep(0.001)
        assert store.batches == []
        store.failure = ""
        store.on_connect[0]()
        await asyncio.sleep(0.001)
        assert store.batches == [[(lease.lease_id, True)]]


@in_virtual_time
async def test_a_release_is_forgotten_once_its_lease_has_expired() -> None:
    store = Store()
    leases = ConcurrencyLeases(store)
    async with renew_leases(leases):
        store.failure = "at once"
        hold(leases).release()
        await asyncio.sleep(0.15)
        store.failure = ""
        await asyncio.sleep(0.1)
        assert store.batches == []
        assert "0 releases unsent" in repr(leases)


async def test_the_releases_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency_leases, "MAX_UNSENT", 3)
    store = Store()
    leases = ConcurrencyLeases(store)
    store.failure = "at once"
    for _ in range(5):
        hold(leases, LONG).release()
    assert "3 releases unsent" in repr(leases)


@in_virtual_time
async def test_a_renewal_that_fails_is_tried_again_before_the_lease_expires() -> None:
    store = Store()
    leases = ConcurrencyLeases(store)
    async with renew_leases(leases):
        store.failure = "later"
        lease = hold(leases)
        await asyncio.sleep(0.045)
        store.failure = ""
        await asyncio.sleep(0.014)  # together less than the 60 ms of the lease
        assert store.batches == [[(lease.lease_id, False)]]


def test_nothing_runs_while_no_lease_is_held() -> None:
    async def release_and_wait() -> None:
        leases = ConcurrencyLeases(Store())
        async with renew_leases(leases):
            hold(leases).release()
            await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="no callback is ready and no timer is scheduled"):
        run_in_virtual_time(release_and_wait())


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
