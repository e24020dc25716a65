"""An alarm rings at the moment set last, once, and not before."""

import asyncio
import gc
import weakref

import pytest

from gateway.transport.timer import LazyTimer


class Clock:
    """A loop's clock and timers, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, call: object) -> "Timer":
        self.timers.append(Timer(at, call))
        return self.timers[-1]

    def move_to(self, now: float) -> None:
        while due := [timer for timer in self.timers if timer.at <= now]:
            first = min(due, key=lambda timer: timer.at)
            self.timers.remove(first)
            self.now = first.at
            first.fire()
        self.now = now

    @property
    def running(self) -> int:
        return sum(not timer.is_cancelled for timer in self.timers)


class Timer:
    def __init__(self, at: float, call: object) -> None:
        self.at, self.call, self.is_cancelled = at, call, False

    def cancel(self) -> None:
        self.is_cancelled = True

    def fire(self) -> None:
        if not self.is_cancelled:
            assert callable(self.call)
            self.call()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rung() -> list[float]:
    return []


@pytest.fixture
def alarm(clock: Clock, rung: list[float]) -> LazyTimer:
    return LazyTimer(clock, lambda: rung.append(clock.now))  # type: ignore[arg-type]


def test_it_rings_once_at_its_time(clock: Clock, alarm: LazyTimer, rung: list[float]) -> None:
    alarm.set(2)
    clock.move_to(1.9)
    assert rung == []
    clock.move_to(9)
    assert rung == [2]
    assert clock.running == 0


def test_what_is_put_off_rings_at_the_later_time(
    clock: Clock, alarm: LazyTimer, rung: list[float]
) -> None:
    for at in (2, 3, 4):
        alarm.set(at)
    assert clock.running == 1
    clock.move_to(9)
    assert rung == [4]


def test_what_is_brought_forward_rings_earlier(
    clock: Clock, alarm: LazyTimer, rung: list[float]
) -> None:
    alarm.set(5)
    alarm.set(1)
    assert clock.running == 1
    clock.move_to(9)
    assert rung == [1]


def test_after_it_rang_it_can_be_set_again(
    clock: Clock, alarm: LazyTimer, rung: list[float]
) -> None:
    alarm.set(1)
    clock.move_to(2)
    alarm.set(3)
    clock.move_to(4)
    assert rung == [1, 3]


def test_a_timer_that_fires_early_is_no_alarm(
    clock: Clock, alarm: LazyTimer, rung: list[float]
) -> None:
    alarm.set(2)
    clock.now = 1.9995
    clock.timers.pop().fire()
    assert rung == []
    clock.move_to(3)
    assert rung == [2]


async def test_what_is_stopped_holds_nothing_of_who_had_set_it() -> None:
    class Owner:
        def __init__(self) -> None:
            self.alarm = LazyTimer(asyncio.get_running_loop(), self.ring)

        def ring(self) -> None:
            pass

    owner = Owner()
    owner.alarm.set(asyncio.get_running_loop().time() + 60)
    owner.alarm.stop()
    gone = weakref.ref(owner)
    gc.disable()
    try:
        del owner
        assert gone() is None
    finally:
        gc.enable()
