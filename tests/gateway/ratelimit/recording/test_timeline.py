"""`build_timelines` puts the events of several processes into one order."""

import random

from gateway.ratelimit.recording.events import IN_FLIGHT, RecordedRequest
from gateway.ratelimit.recording.recorder import Recorder
from gateway.ratelimit.recording.timeline import build_timelines
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import START, ManualClock
from tests.gateway.ratelimit.recording.test_recorder import observe


def open_recorders(clock: ManualClock, count: int, *, is_shared: bool) -> list[Recorder]:
    """Return the recorders of some processes."""

    def seconds() -> float:
        return clock.now / MICROSECONDS

    return [
        Recorder(f"process {number}", is_shared=is_shared, clock=seconds, wall=seconds)
        for number in range(count)
    ]


def test_processes_on_one_redis_are_merged_by_its_time() -> None:
    clock = ManualClock()
    recorders = open_recorders(clock, 3, is_shared=True)
    draw = random.Random(1)
    for number in range(1, 1_000):
        clock.now = START + number * 7
        observe(draw.choice(recorders), "user:a", clock.now)
    clock.advance(10)
    [timeline] = build_timelines([it.snapshot() for it in recorders])
    assert [event.now for event in timeline.iterate()] == [
        START + number * 7 for number in range(1, 1_000)
    ]


def test_an_estimated_time_may_be_late() -> None:
    clock = ManualClock()
    [recorder] = open_recorders(clock, 1, is_shared=True)
    observe(recorder, "user:a", START + 300)
    clock.now += 200
    observe(recorder, "user:a", 0, admitted=False, is_remembered=True)  # as of START + 500
    observe(recorder, "user:a", START + 400)
    [timeline] = build_timelines([recorder.snapshot()])
    assert [event.now - START for event in timeline.iterate()] == [300, 400, 500]


def test_it_covers_the_time_that_all_processes_recorded() -> None:
    clock = ManualClock()
    [first] = open_recorders(clock, 1, is_shared=True)
    observe(first, "user:a", clock.now)
    clock.advance(5)
    [second, idle] = open_recorders(clock, 2, is_shared=True)  # started later
    clock.advance(5)
    observe(second, "user:a", clock.now)
    observe(first, "user:a", clock.now + 1)
    clock.advance(5)
    observe(first, "user:a", clock.now)
    recordings = [first.snapshot(), idle.snapshot()]
    observe(second, "user:a", clock.now + 1)
    clock.advance(5)
    [timeline] = build_timelines([*recordings, second.snapshot()])
    assert timeline.begin == START + 5 * MICROSECONDS - 1
    assert timeline.end == START + 15 * MICROSECONDS - IN_FLIGHT
    requests = [it for it in timeline.iterate() if isinstance(it, RecordedRequest)]
    assert [it.now - START - 10 * MICROSECONDS for it in requests] == [0, 1]


def test_processes_that_count_alone_have_timelines_of_their_own() -> None:
    clock = ManualClock()
    for recorder in (recorders := open_recorders(clock, 2, is_shared=False)):
        observe(recorder, "user:a", clock.now)
    timelines = build_timelines([it.snapshot() for it in recorders])
    assert [len(list(it.iterate())) for it in timelines] == [1, 1]
