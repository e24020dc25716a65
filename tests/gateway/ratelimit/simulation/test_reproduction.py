"""The replay of the rules in force gives every decision that was recorded."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings

from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.recording.export_file import export_recordings
from gateway.ratelimit.recording.import_file import import_recordings
from gateway.ratelimit.recording.segment import ADMITTED
from gateway.ratelimit.simulation.reproduction import CannotReproduce
from gateway.ratelimit.simulation.simulate_policies import UNKNOWN_COUNTS, simulate
from tests.gateway.ratelimit.recording.traffic import (
    PREFETCHED,
    VERSIONS,
    Change,
    Request,
    Step,
    Traffic,
    burst_lists,
    record_in_memory,
    record_in_redis,
    send_burst,
    step_lists,
)
from tests.gateway.ratelimit.redis.script_runner import ScriptRunner

ON_REDIS = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def reproduce(traffic: Traffic, steps: Sequence[Step], rows: int) -> None:
    asyncio.run(traffic.run(steps))
    requests = sum(isinstance(step, Request) for step in steps)
    if requests:
        simulated = simulate(traffic.snapshots(), {})
        left_out = sum(simulated.covers.left_out.values())
        if rows > len(steps):
            assert simulated.covers.requests + left_out == requests


@settings(deadline=None, max_examples=150)
@given(steps=step_lists)
def test_decisions_in_memory_are_reproduced(steps: list[Step]) -> None:
    reproduce(record_in_memory(), steps, 200_000)


@settings(deadline=None, max_examples=100)
@given(steps=step_lists)
def test_every_segment_stands_alone(steps: list[Step]) -> None:
    reproduce(record_in_memory(rows=48), steps, 48)


@pytest.mark.redis
@ON_REDIS
@given(steps=step_lists)
def test_decisions_of_three_processes_in_redis_are_reproduced(
    runner: ScriptRunner, steps: list[Step]
) -> None:
    reproduce(record_in_redis(runner), steps, 200_000)


@pytest.mark.redis
@ON_REDIS
@given(steps=burst_lists)
def test_what_redis_has_granted_in_advance_is_reproduced(
    runner: ScriptRunner, steps: list[Step]
) -> None:
    reproduce(record_in_redis(runner), steps, 200_000)


@pytest.mark.redis
@pytest.mark.parametrize("name", PREFETCHED)
async def test_no_request_that_was_granted_in_advance_is_left_out(
    runner: ScriptRunner, name: str
) -> None:
    traffic = record_in_redis(runner)
    await traffic.run(send_burst(name, "user:a", [5_000] * 900))
    spent = [verdict for verdict in traffic.verdicts if verdict.is_remembered]
    assert spent
    assert all(verdict.admitted for verdict in spent)
    exported = b"".join(export_recordings(traffic.snapshots()))
    simulated = simulate(import_recordings(exported), {name: PolicyInForce(PREFETCHED[name][0])})
    assert (simulated.covers.requests, simulated.covers.left_out) == (900, {})
    assert f"some more are refused under policies with a prefetch: {name}" in simulated.accuracy


async def test_a_bucket_that_expires_at_its_old_rate_is_reproduced() -> None:
    """At the new rate, which is lower, it would not be empty yet."""
    traffic = record_in_memory()
    demand = ("steady", "user:a", None, 1)
    await traffic.run([Change("steady", 1, ()), Request(1, 0, (demand,)), Change("steady", 0, ())])
    await traffic.run([Request(900_000, 0, (demand,))])
    assert traffic.verdicts[-1].standings[0].remaining == 3
    assert simulate(traffic.snapshots(), {}).covers.requests == 2


@pytest.mark.parametrize("column", ["flags", "values", "costs", "times"])
async def test_a_falsified_decision_is_found(column: str) -> None:
    traffic = record_in_memory()
    requests = [Request(1_000, 0, (("exact", "user:a", None, 1),)) for _ in range(9)]
    await traffic.run(requests)
    recordings = traffic.snapshots()
    falsified = getattr(recordings[0].segments[0], column)
    changes = {"flags": ADMITTED, "values": 1, "costs": 3, "times": 10**8}
    falsified[2] = (
        falsified[2] ^ changes[column] if column == "flags" else (falsified[2] + changes[column])
    )
    with pytest.raises(
        CannotReproduce, match=r"policy exact, key user:a, rule \w+: recorded"
    ) as it:
        simulate(recordings, {})
    assert it.value.difference.now == recordings[0].segments[0].times[2]


async def test_a_missing_process_is_found(runner: ScriptRunner) -> None:
    traffic = record_in_redis(runner)
    await traffic.run(
        [Request(1_000, number, (("exact", "user:a", None, 1),)) for number in range(9)]
    )
    recordings = traffic.snapshots()
    with pytest.raises(CannotReproduce, match="the recording of a process is missing"):
        simulate(recordings[:2], {})


async def test_a_lost_reply_and_an_outage_leave_out_what_is_not_known(
    runner: ScriptRunner,
) -> None:
    """A client that goes away in the middle of its check, and counts that change unseen."""
    traffic = record_in_redis(runner)
    demands = [("exact", "user:a", None, 1), ("steady", "user:a", None, 1)]
    await traffic.run([Request(1_000, 0, (demand,)) for demand in demands])
    limits, recorder = traffic.processes[0].limits, traffic.processes[0].recorder
    limits.observer = None
    await traffic.run([Request(1_000, 0, (demands[0],))])  # counted, without a verdict
    limits.observer = recorder
    [rule] = VERSIONS["exact"][0].make_rules()
    recorder.record_unknown([Charge(rule, make_key(rule, "user:a"))])
    await traffic.run([Request(2_000_000, number, (demands[0],)) for number in range(3)])
    simulated = simulate(traffic.snapshots(), {})
    assert simulated.covers.left_out == {UNKNOWN_COUNTS: 1}
    assert simulated.covers.requests == 4
