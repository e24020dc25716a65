"""`epoch.lua` and `restore.lua` on a real Redis: what is added counts as if it had been charged."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from gateway.ratelimit.limiter import Charge, Standing
from gateway.ratelimit.prefetch_numbers import compute_longest_window, get_shared_numbers
from gateway.ratelimit.redis.restore_script import RememberedCount, open_epoch, restore_counts
from gateway.ratelimit.redis.script import EPOCH_KEY, pack_eval, parse_reply
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import charge
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

Send = Callable[[bytes], Any]

WINDOW = 1_000  # seconds, so that nothing expires during a test
EXACT = charge(60, WINDOW, name="exact")
BUCKETED = charge(5_000, WINDOW, name="bucketed")
STEADY = charge(10, WINDOW, name="steady", burst=100)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A plain client, which reads the keys that the scripts have stored."""
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
def send(client: redis.Redis) -> Iterator[Send]:
    """Send packed commands."""
    connection = client.connection_pool.get_connection()

    def send(command: bytes) -> Any:
        connection.send_packed_command([command])  # type: ignore[no-untyped-call]
        return connection.read_response()

    yield send
    client.connection_pool.release(connection)


def begin(send: Send, known: str = "", new: str = "e1", wait: int = 5_000_000) -> Any:
    """Open an epoch."""
    return send(open_epoch(known, new, wait).pack(0, b"", with_text=True))


def restore(*counts: RememberedCount, epoch: str = "e1") -> bytes:
    """Pack a call that adds counts."""
    return restore_counts(epoch, counts).pack(0, b"", with_text=True)


def describe(one: Charge, *pairs: tuple[int, int]) -> RememberedCount:
    """The counts of the key of a charge that a process remembers."""
    rule = one.rule
    return RememberedCount(one.key, rule.algorithm, rule.quota, rule.window, pairs)


def look(send: Send, one: Charge) -> Standing:
    """The standing of a key."""
    looks = [Charge(one.rule, one.key, cost=0)]
    [standing] = parse_reply(looks, send(pack_eval(looks))).standings
    return standing


def seconds(number: float) -> int:
    """In microseconds."""
    return round(number * MICROSECONDS)


def test_the_first_process_begins_an_epoch_and_others_join_it(send: Send) -> None:
    first, since, wait, _ = begin(send)
    assert (first, since, wait) == (b"e1", 0, 0)
    assert begin(send, new="e2")[0] == b"e1"
    assert begin(send, known="e1", new="e2")[:3] == [b"e1", 0, 0]


def test_all_wait_for_a_process_that_has_counted_in_another_epoch(send: Send) -> None:
    begin(send)
    epoch, _, wait, _ = begin(send, known="e0", new="e2")
    assert epoch == b"e1"
    assert 4_000_000 < wait <= 5_000_000
    assert 4_000_000 < begin(send, new="e3")[2] <= wait
    assert begin(send, known="e1")[2] <= wait


def test_a_server_that_was_started_again_is_in_a_new_epoch_since_its_last_beat(
    send: Send, client: redis.Redis
) -> None:
    now = begin(send)[3]
    client.hset(EPOCH_KEY, "run", "of another run")
    epoch, since, _, _ = begin(send, known="e1", new="e2")
    assert (epoch, since) == (b"e2", now)


def test_counts_of_another_epoch_are_refused_and_nothing_is_charged(
    send: Send, client: redis.Redis
) -> None:
    begin(send)
    for command in (
        pack_eval([EXACT], epoch=b"e0"),
        restore(describe(EXACT, (0, 5)), epoch="e0"),
        restore(epoch="e0"),
    ):
        with pytest.raises(ResponseError, match="EPOCH"):
            send(command)
    assert not client.exists(EXACT.key)
    assert parse_reply([EXACT], send(pack_eval([EXACT], epoch=b"e1"))).admitted
    client.flushall()
    with pytest.raises(ResponseError, match="EPOCH"):
        send(pack_eval([EXACT], epoch=b"e1"))


def test_what_is_restored_expires_with_its_age(send: Send, client: redis.Redis) -> None:
    begin(send)
    counts = [
        describe(EXACT, (seconds(900), 20), (seconds(100), 30)),
        describe(STEADY, (0, 30 * STEADY.rule.window)),
    ]
    send(restore(*counts))
    exact, steady = look(send, EXACT), look(send, STEADY)
    assert exact.remaining == 10
    assert 99 < exact.reset <= 100
    assert steady.remaining == 70
    asked = [Charge(EXACT.rule, EXACT.key, cost=31)]
    verdict = parse_reply(asked, send(pack_eval(asked)))
    assert 899 < verdict.retry_after <= 900
    assert 0 < client.pttl(EXACT.key) <= WINDOW * 1_000
    assert client.pttl(STEADY.key) > 0


def test_what_several_processes_restore_is_added_to_what_is_there(send: Send) -> None:
    begin(send)
    for _ in range(7):
        send(pack_eval([EXACT, BUCKETED, STEADY]))
    for _ in range(3):
        counts = [
            describe(EXACT, (seconds(500), 10)),
            describe(BUCKETED, *[(seconds(WINDOW - step * 10), 8) for step in range(1, 100)]),
            describe(STEADY, (0, 10 * STEADY.rule.window)),
        ]
        send(restore(*counts))
    assert look(send, EXACT).remaining == 60 - 7 - 30
    assert look(send, BUCKETED).remaining == 5_000 - 7 - 3 * 99 * 8
    assert look(send, STEADY).remaining in (100 - 7 - 30, 100 - 7 - 30 + 1)
    assert parse_reply([EXACT], send(pack_eval([EXACT]))).admitted


def test_a_key_that_another_program_wrote_is_replaced(send: Send, client: redis.Redis) -> None:
    begin(send)
    client.hset(EXACT.key, mapping={"h": "x", "n": "-1"})
    send(restore(describe(EXACT, (0, 5))))
    assert look(send, EXACT).remaining == 55


def test_no_count_of_a_prefetched_policy_is_dropped_before_its_longer_window_ends(
    send: Send, client: redis.Redis
) -> None:
    one = charge(60, WINDOW, name="prefetched", prefetch=30)
    longest = compute_longest_window(one.rule.window)
    assert longest == get_shared_numbers(one.rule).window > one.rule.window
    begin(send)
    now = seconds(client.time()[0])
    send(pack_eval([replace(one, cost=7)], now=now - one.rule.window))
    count = RememberedCount(one.key, one.rule.algorithm, 1, longest, [(0, 5)])
    send(restore_counts("e1", [count]).pack(now, b"", with_text=True))
    looks = [replace(one, cost=0)]
    [standing] = parse_reply(looks, send(pack_eval(looks, now=now))).standings
    assert standing.remaining == 60 - 7 - 5


def test_a_broken_bucket_replaces_its_key_alone(send: Send, client: redis.Redis) -> None:
    begin(send)
    send(pack_eval([BUCKETED]))
    client.hset(
        EXACT.key, mapping={"h": "0", "n": "1", "t": "9", "f": "1", "l": "1", "k": "1", "0": "x"}
    )
    send(restore(describe(BUCKETED, (0, 7)), describe(EXACT, (0, 5))))
    assert look(send, BUCKETED).remaining == 5_000 - 8
    assert look(send, EXACT).remaining == 55


buckets = st.lists(st.tuples(st.integers(0, WINDOW + 50), st.integers(1, 40)), max_size=80)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pushes=st.lists(buckets, max_size=4))
def test_no_bucket_is_forgotten_before_its_time(
    send: Send, client: redis.Redis, pushes: Sequence[list[tuple[int, int]]]
) -> None:
    client.flushdb()
    begin(send)
    for push in pushes:
        pairs = sorted(((seconds(age), count) for age, count in push), reverse=True)
        send(restore(describe(BUCKETED, *pairs)))
    all_pairs = [pair for push in pushes for pair in push]
    large = charge(100_000, WINDOW, name="bucketed")
    now = client.time()
    base = now[0] * MICROSECONDS + now[1]
    for later in (0, 100, 500, 990):
        looks = [Charge(large.rule, BUCKETED.key, cost=0)]
        reply = send(pack_eval(looks, now=base + seconds(later)))
        counted = 100_000 - parse_reply(looks, reply).standings[0].remaining
        exact = sum(count for age, count in all_pairs if age + later < WINDOW)
        slightly_later = sum(
            count for age, count in all_pairs if age + later < WINDOW + WINDOW / 60 + 1
        )
        assert exact <= counted <= slightly_later
    assert client.hlen(BUCKETED.key) < 150
