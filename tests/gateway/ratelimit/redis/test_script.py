"""Differential test: the script on a real Redis decides as `MemoryLimiter` does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
import redis
from hiredis import pack_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ratelimit.limiter import Charge, Mark, Settlement, Verdict
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.policy_in_force import PoliciesInForce, PolicyInForce
from gateway.ratelimit.redis.script import EPOCH_KEY, SHA, pack_evalsha
from gateway.ratelimit.redis.script_call import settle
from gateway.ratelimit.rule import MAX_LEVEL, MICROSECONDS, compute_largest_burst
from tests.gateway.ratelimit.charges import START, ManualClock, charge
from tests.gateway.ratelimit.recording.traffic import ScriptLimiter
from tests.gateway.ratelimit.redis.script_runner import ScriptRunner, open_runner
from tests.gateway.ratelimit.reference_limits import Request, Scale
from tests.gateway.ratelimit.test_prefetched_quota import SharedCounts
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

Run = Callable[..., Verdict]

KINDS = (
    charge(3, 10, name="exact"),
    charge(60, 10, name="edge"),
    charge(100, 10, name="bucketed"),
    charge(7, 10, name="gcra", burst=4),
    charge(5, 10, name="shadow", shadow=True),
)

pauses = st.sampled_from([0, 0, 1, 40_000, 166_665, 166_666, 166_667, 900_000, 9_999_999, 10**7])
charge_lists = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from([0, 1, 1, 1, 2, 30]), st.booleans()),
    min_size=1,
    max_size=len(KINDS),
    unique_by=lambda entry: entry[0].key,
)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A plain client, which reads the keys that the script has stored."""
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
def runner(redis_server: RedisServer) -> Iterator[ScriptRunner]:
    """Runs the scripts, that of settlements included."""
    with open_runner(redis_server.url) as runner:
        yield runner


@pytest.fixture
def run(runner: ScriptRunner) -> Run:
    """Run the script of a check with the same bytes as the gateway sends."""
    return runner.decide


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(schedule=st.lists(st.tuples(pauses, charge_lists), min_size=1, max_size=30))
def test_both_limiters_decide_alike(
    run: Run, client: redis.Redis, schedule: list[tuple[int, list[tuple[Charge, int, bool]]]]
) -> None:
    client.flushdb()
    clock = ManualClock()
    memory = MemoryLimiter(clock=clock)
    for pause, entries in schedule:
        clock.now += pause
        charges = [replace(kind, cost=cost, wants_state=wants) for kind, cost, wants in entries]
        assert run(charges, clock.now) == memory.decide(charges)


SCALE = Scale(START / MICROSECONDS, unit=1_000)


class StateObserver:
    """Wants the state of every key."""

    def wants_state(self, key: str) -> bool:
        """Want it."""
        return True

    def observe(self, *decision: object) -> None:
        """Take no notice."""

    def record_unknown(self, charges: Sequence[Charge]) -> None:
        """Take no notice."""


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    in_force=SCALE.sets_in_force(st.integers(1, 200)),
    schedule=SCALE.schedules(),
    times=st.integers(1, 20),
)
async def test_policies_in_full_are_decided_alike(
    runner: ScriptRunner,
    client: redis.Redis,
    in_force: list[PolicyInForce],
    schedule: list[Request],
    times: int,
) -> None:
    """With windows, tiers, costs and overrides, and the states that both count from."""
    client.flushdb()
    clock = ManualClock()
    limiters = (ScriptLimiter(runner, clock), MemoryLimiter(clock=clock))
    in_redis, in_memory = (
        Limits(
            limiter,
            PoliciesInForce(in_force),
            StateObserver(),
            clock=lambda: clock.now / MICROSECONDS,
        )
        for limiter in limiters
    )
    policies = {it.policy.name: it.policy for it in in_force}
    for request in schedule:
        clock.now += request.pause
        demands = [
            Demand(policies[name], request.partition, request.tier, cost * times)
            for name, cost in request.costs.items()
        ]
        assert await in_redis.enforce(demands) == await in_memory.enforce(demands)


@given(
    entries=charge_lists,
    now=st.sampled_from([0, START]),
    keys=st.lists(st.text(max_size=9), min_size=9),
)
def test_commands_are_packed_as_hiredis_packs_them(
    entries: list[tuple[Charge, int, bool]], now: int, keys: list[str]
) -> None:
    charges = [
        replace(kind, cost=cost, key=key, lease_id=key[:1], wants_state=wants)
        for (kind, cost, wants), key in zip(entries, keys, strict=False)
    ]
    parts: list[bytes | str | int] = [
        b"EVALSHA",
        SHA,
        len(charges),
        *(c.key for c in charges),
        now,
        "",
    ]
    for one in charges:
        rule = one.rule
        parts += [rule.algorithm.value, rule.quota, rule.window, rule.burst, one.cost]
        parts += [rule.policy if rule.shadow else "", one.lease_id, int(one.wants_state)]
    assert pack_evalsha(charges, now) == pack_command(tuple(parts))  # type: ignore[arg-type]
    parts[2] = len(charges) + 1
    parts[3 + len(charges) : 3 + len(charges)] = [EPOCH_KEY]
    parts[5 + len(charges)] = "epoch"
    with_epoch = pack_evalsha(charges, now, epoch=b"epoch")
    assert with_epoch == pack_command(tuple(parts))  # type: ignore[arg-type]


def test_both_decide_alike_when_quotas_change_and_the_clock_is_set_back(run: Run) -> None:
    clock = ManualClock()
    memory = MemoryLimiter(clock=clock)
    quotas = [100, 30, 200, 2, 90]
    for step in range(300):
        clock.advance(0.3 if step % 7 else -0.5)
        quota = quotas[step // 10 % len(quotas)]
        charges = [charge(quota, name="a"), charge(quota, name="b", burst=50)]
        assert run(charges, clock.now) == memory.decide(charges), step


DAY = 86_400
bursts = st.sampled_from([1, 2, 10, 50, 49_000, 49_998, 49_999])


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    schedule=st.lists(
        st.tuples(
            st.sampled_from([0, 0, 1, 500_001, DAY * MICROSECONDS // 3, 3 * DAY * MICROSECONDS]),
            st.sampled_from([1, 7, 10, 2_000_000]),
            bursts,
            st.sampled_from([1, 2, 9, 40, 12_345, 49_998, 49_999]),
            st.booleans(),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_both_decide_alike_near_the_largest_numbers_and_with_bursts_that_change(
    runner: ScriptRunner, schedule: list[tuple[int, int, int, int, bool]]
) -> None:
    """Bursts that refill in years, lowered and raised, and charges whether they fit or not."""
    runner.client.flushdb()
    runner.keeps_keys = True  # some refill within milliseconds
    clock = ManualClock()
    memory = MemoryLimiter(clock=clock)
    for pause, quota, burst, cost, is_settled in schedule:
        clock.now += pause
        one = replace(charge(quota, DAY, burst=burst), cost=cost, wants_state=True)
        verdict = memory.decide([one])
        assert runner.decide([one], clock.now) == verdict
        if is_settled and verdict.admitted:
            excess = Settlement([(one, 60_000)], Mark(verdict.now, 0), verdict)
            memory.settle(excess)
            runner.call(settle(excess), clock.now)


def test_a_level_stays_exact_however_much_is_charged(runner: ScriptRunner) -> None:
    clock = ManualClock()
    memory = MemoryLimiter(clock=clock)
    for window in (1, 3_600, DAY, 9_999 * DAY):
        largest = compute_largest_burst(window * MICROSECONDS)
        full = charge(1_000, window, burst=largest, cost=largest)
        verdict = memory.decide([full])
        assert runner.decide([full]) == verdict
        assert verdict.admitted
        for _ in range(3):
            excess = Settlement([(full, 999_999_999)], Mark(START, 0), verdict)
            memory.settle(excess)
            runner.call(settle(excess))
        asked = replace(full, cost=1, wants_state=True)
        verdict = memory.decide([asked])
        assert runner.decide([asked]) == verdict
        assert not verdict.admitted
        assert verdict.states
        assert verdict.states[full.key][1] <= MAX_LEVEL


def test_a_caller_that_has_used_a_burst_is_refused_when_it_is_lowered(run: Run) -> None:
    used = charge(10, DAY, burst=50, cost=50)
    assert run([used]).admitted
    assert not run([charge(10, DAY, burst=10)]).admitted
    assert not run([replace(used, cost=1)]).admitted


def test_the_clock_of_the_server_is_used(run: Run, client: redis.Redis) -> None:
    run([charge(5)], 0)
    seconds, micros = client.time()
    first = int(client.hget(charge(5).key, "f") or 0)
    assert 0 <= seconds * MICROSECONDS + micros - first < 60 * MICROSECONDS


def test_a_refused_request_changes_nothing(run: Run, client: redis.Redis) -> None:
    strict, loose = charge(1, name="strict"), charge(5, name="loose")
    run([strict, loose])
    before = [client.hgetall(one.key) for one in (strict, loose)]
    assert run([strict, loose]).refused_by == ("strict",)
    assert [client.hgetall(one.key) for one in (strict, loose)] == before


def test_idle_keys_expire(run: Run, client: redis.Redis) -> None:
    run([charge(5, 60), charge(60, 60, name="gcra", burst=30, cost=20)])
    assert 59_000 < int(client.pttl(charge(5).key)) <= 60_000
    assert 19_000 < int(client.pttl("lockgate:{t}:gcra:60~")) <= 20_000


def test_a_busy_key_stays_a_small_listpack(run: Run, client: redis.Redis) -> None:
    busy = charge(100_000, 60)
    for step in range(1_000):
        run([busy], START + step * 100_000)
    assert int(client.hlen(busy.key)) <= 68
    assert client.object("encoding", busy.key) == b"listpack"
    assert int(client.memory_usage(busy.key) or 0) < 4_096


FIELDS = ("h", "n", "t", "f", "l", "k", "a", "v", "0", "1", "59")
NUMBERS = ["-1", "0", "5", "7", "1.5", "nan", "1e400", "0x10", "9e18", "99999999999999999999"]
TIMES = [str(START), str(START + 10**13), f"{START} 3"]
FOREIGN = st.sampled_from([*NUMBERS, *TIMES, "", "x", "\0", "1 2 3", "-1 -1"])


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    stored=st.dictionaries(st.sampled_from(FIELDS), FOREIGN, min_size=1),
    kind=st.sampled_from([charge(100, 10), charge(7, 10, burst=4)]),
    shadow=st.booleans(),
)
def test_a_hash_with_foreign_values_is_counted_in_or_replaced(
    run: Run, client: redis.Redis, stored: dict[str, str], kind: Charge, shadow: bool
) -> None:
    kind = replace(kind, rule=replace(kind.rule, shadow=shadow))
    longest = MAX_LEVEL // MICROSECONDS // kind.rule.quota if kind.rule.burst else 0
    client.delete(kind.key)
    for field, value in stored.items():
        client.hset(kind.key, field, value)  # without an expiry
    other = charge(10, name="other", cost=0)
    for _ in range(3):
        standing = run([other, kind]).standings[1]
        assert 0 <= standing.remaining <= 100
        assert 0 <= standing.retry_after <= 86_400 + 20 + longest
    # A whole day and two windows later, the key is as a new one. A level may have been charged when
    # the burst was larger, and has to drain.
    later = START + (86_400 + 30 + longest) * MICROSECONDS
    assert run([kind], later).standings[0].retry_after == 0


def test_a_total_without_its_buckets_does_not_refuse_for_ever(
    run: Run, client: redis.Redis
) -> None:
    used = charge(5)
    run([used])
    client.hset(used.key, "t", "1000")
    assert run([used]).standings[0].remaining == 4


LEASED = (
    charge(60, 10, name="exact", prefetch=30),
    charge(300, 10, name="bucketed", prefetch=30),
    charge(70, 10, name="gcra", burst=40, prefetch=30),
    charge(20, 10, name="shadow", prefetch=10, shadow=True),
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    schedule=st.lists(
        st.tuples(
            pauses,
            st.lists(st.sampled_from(LEASED), min_size=1, max_size=3, unique_by=lambda it: it.key),
            st.integers(1, 3),
            st.integers(0, 30),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_requests_are_granted_in_advance_as_in_the_model_of_the_property_tests(
    run: Run, client: redis.Redis, schedule: list[tuple[int, list[Charge], int, int]]
) -> None:
    client.flushdb()
    clock = ManualClock()
    model = SharedCounts(clock)
    for pause, kinds, cost, advance in schedule:
        clock.now += pause
        charges = [replace(kind, cost=cost) for kind in kinds]
        asking = [replace(one, advance=advance) for one in charges]
        assert run(asking, clock.now) == model.check(charges, advance)
