"""`Recorder` keeps the latest decisions in bounded memory, and says what it does not know."""

import pytest

from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.limiter import Charge, Standing, Verdict
from gateway.ratelimit.limits import Demand
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import Block, PolicyInForce, Rules
from gateway.ratelimit.recording import recorder as recorder_module
from gateway.ratelimit.recording.events import (
    IN_FLIGHT,
    RecordedEvent,
    RecordedGap,
    RecordedRequest,
)
from gateway.ratelimit.recording.recorder import Recorder
from gateway.ratelimit.recording.segment import SEGMENTS
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import START, ManualClock
from tests.gateway.ratelimit.recording.traffic import record_in_memory

POLICY = RateLimit("pages", "5/minute")
RULES: Rules = POLICY.make_rules()


def open_recorder(clock: ManualClock, *, is_shared: bool = True, rows: int = 1_600) -> Recorder:
    """Return a recorder of the process `one`."""

    def seconds() -> float:
        return clock.now / MICROSECONDS

    return Recorder("one", is_shared=is_shared, rows=rows, clock=seconds, wall=seconds)


def observe(
    recorder: Recorder, partition: str, now: int, rules: Rules | Block = RULES, **verdict: object
) -> None:
    """Let the recorder see a decision, with the state of a new key if it wants that."""
    [rule] = RULES
    key = make_key(rule, partition)
    states = {key: (0, 0)} if recorder.wants_state(key) else None
    charges = [] if isinstance(rules, Block) else [Charge(rule, key)]
    standings = tuple(Standing(charge.rule, 4, 1.0) for charge in charges)
    fields = {"admitted": True, "standings": standings, "now": now, "states": states, **verdict}
    recorder.observe([Demand(POLICY, partition)], [rules], charges, Verdict(**fields))  # type: ignore[arg-type]


def list_events(recorder: Recorder) -> list[RecordedEvent]:
    return list(recorder.snapshot().iterate())


def test_the_oldest_decisions_leave_the_ring() -> None:
    clock = ManualClock()
    recorder = open_recorder(clock, rows=160)
    for _ in range(1_000):
        clock.now += 1
        observe(recorder, "user:a", clock.now)
    recording = recorder.snapshot()
    assert 160 - 160 // SEGMENTS <= len(recording) <= 160
    times = [event.now for event in recording.iterate()]
    assert times == list(range(recording.begin + 1, START + 1_001))
    assert recording.end == START + 1_000


def test_a_failure_ends_the_recording_and_not_the_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock()
    recorder = open_recorder(clock)
    observe(recorder, "user:a", clock.now)
    [rule] = RULES
    for _ in range(2):
        observe(recorder, "user:b", clock.now, states={make_key(rule, "user:b"): (2**70, 0)})
    assert [it.getMessage() for it in caplog.records] == ["limits.recording_failed"]
    assert not recorder.wants_state(make_key(rule, "user:c"))
    observe(recorder, "user:c", clock.now)
    assert list_events(recorder) == []
    assert sum(recorder.usage.report("pages").allowed) == 4


def test_each_segment_has_the_states_of_its_keys() -> None:
    recorder = open_recorder(clock := ManualClock(), rows=160)
    for number in range(100):
        observe(recorder, f"user:{number % 3}", clock.now + number)
    for segment in recorder.snapshot().segments:
        keys = {key for _, key, _ in segment.states}
        assert keys == {name for key in segment.key_table for name in key.keys}


def test_many_keys_and_large_states_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "MAX_SEGMENT_KEYS", 10)
    monkeypatch.setattr(recorder_module, "MAX_SEGMENT_STATE_NUMBERS", 30)
    clock = ManualClock()
    recorder = open_recorder(clock, rows=160_000)
    for number in range(1_000):
        observe(recorder, f"user:{number}", clock.now + number)
    segments = recorder.snapshot().segments
    assert len(segments) == SEGMENTS
    assert max(len(segment.key_table) for segment in segments) <= 10
    for _ in range(500):
        recorder.forget()
        observe(recorder, "user:a", clock.now + 1_000, states={"lockgate:{a}:x": tuple(range(20))})
    assert all(sum(len(it[2]) for it in one.states) <= 50 for one in recorder.snapshot().segments)


def test_without_rows_it_counts_alone() -> None:
    recorder = open_recorder(ManualClock(), rows=0)
    assert not recorder.wants_state("lockgate:{user:a}:pages:60")
    observe(recorder, "user:a", START)
    recorder.forget("lockgate:{user:a}")
    assert list_events(recorder) == []
    assert recorder.usage.report("pages", 1).allowed == [1]


def test_decisions_without_redis_are_one_gap_and_the_states_are_recorded_again() -> None:
    clock = ManualClock()
    recorder = open_recorder(clock)
    observe(recorder, "user:a", clock.now)
    for _ in range(500):
        clock.now += 1_000
        observe(recorder, "user:a", 5, degraded="local")
    clock.now += 10
    observe(recorder, "user:a", clock.now)
    first, gap, again = list_events(recorder)
    assert isinstance(first, RecordedRequest)
    assert first.states
    assert gap == RecordedGap(START + 1_000 - IN_FLIGHT, START + 500_000, "", 500)
    assert isinstance(again, RecordedRequest)
    assert again.states


def test_only_the_keys_of_a_prefix_are_forgotten() -> None:
    recorder = open_recorder(clock := ManualClock())
    for partition in ("user:a", "user:b"):
        observe(recorder, partition, clock.now)
    recorder.forget("lockgate:{user:a}")
    wanted = [recorder.wants_state(make_key(RULES[0], it)) for it in ("user:a", "user:b")]
    assert wanted == [True, False]


def test_a_check_without_a_verdict_makes_its_keys_unknown() -> None:
    recorder = open_recorder(clock := ManualClock())
    observe(recorder, "user:a", clock.now)
    key = make_key(RULES[0], "user:a")
    recorder.record_unknown([Charge(RULES[0], key)])
    assert recorder.wants_state(key)
    assert list_events(recorder)[-1] == RecordedGap(START - IN_FLIGHT, START, key, 0)


def test_what_was_not_counted_has_an_estimated_time() -> None:
    clock = ManualClock()
    recorder = open_recorder(clock)
    observe(recorder, "user:a", START + 77)
    clock.now += 500
    observe(recorder, "user:b", 1, Block("pages", 5), admitted=False)
    observe(recorder, "user:a", 1, admitted=False, is_remembered=True)
    _, blocked, repeated = list_events(recorder)
    assert isinstance(blocked, RecordedRequest)
    assert isinstance(repeated, RecordedRequest)
    assert blocked.now == repeated.now == START + 577
    assert not blocked.is_counted
    assert blocked.decisions[0].key.rules is None
    assert not repeated.is_counted


def test_the_span_is_that_of_a_snapshot() -> None:
    recorder = open_recorder(clock := ManualClock())
    assert recorder.describe_span()[2] == 0
    for number in range(250):
        observe(recorder, "user:a", clock.now)
        clock.now += 1_000
        assert recorder.describe_span()[2] == number + 1
    recording = recorder.snapshot()
    begin, end = (it + recording.to_epoch for it in (recording.begin, recording.end))
    assert recorder.describe_span() == (begin, end, len(recording)) == (begin, end, 250)


def test_a_blocked_key_is_in_the_table_once() -> None:
    recorder = open_recorder(clock := ManualClock())
    overrides = {"user:b": KeyOverride("block", until=2.0e9)}
    in_force = PolicyInForce(RateLimit("pages", "9/minute"), overrides=overrides)
    for second in range(50):
        clock.now += 1_000_000
        rules = in_force.find_rules("user:b", None, second)
        observe(recorder, "user:b", 1, rules, admitted=False)
    [segment] = recorder.snapshot().segments
    assert len(segment.key_table) == 1


async def test_a_snapshot_does_not_change() -> None:
    traffic = record_in_memory()
    recorder = traffic.processes[0].recorder
    observe(recorder, "user:a", START)
    recording = recorder.snapshot()
    observe(recorder, "user:a", START + 1)
    assert len(list(recording.iterate())) == 1


def test_equal_rules_that_are_no_longer_the_same_object_are_another_key() -> None:
    recorder = open_recorder(clock := ManualClock())
    for _ in range(3):
        observe(recorder, "user:a", clock.now, POLICY.make_rules())
    events = list_events(recorder)
    assert len(events) == 3
    assert len(recorder.snapshot().segments[0].key_table) == 3
