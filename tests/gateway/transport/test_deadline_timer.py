"""Time-outs of waits, and a timer that expires at the time set last, once and not before."""

import asyncio
import gc
import weakref

import httpx
import pytest

from gateway.pending_io import TURNS
from gateway.transport.deadline_timer import LazyTimer, Waiter, expire


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
def expired() -> list[float]:
    return []


@pytest.fixture
def timer(clock: Clock, expired: list[float]) -> LazyTimer:
    return LazyTimer(clock, lambda: expired.append(clock.now))  # type: ignore[arg-type]


def test_it_expires_once_at_its_time(clock: Clock, timer: LazyTimer, expired: list[float]) -> None:
    timer.set(2)
    clock.move_to(1.9)
    assert expired == []
    clock.move_to(9)
    assert expired == [2]
    assert clock.running == 0


def test_a_later_time_replaces_an_earlier_one(
    clock: Clock, timer: LazyTimer, expired: list[float]
) -> None:
    for at in (2, 3, 4):
        timer.set(at)
    assert clock.running == 1
    clock.move_to(9)
    assert expired == [4]


def test_an_earlier_time_replaces_a_later_one(
    clock: Clock, timer: LazyTimer, expired: list[float]
) -> None:
    timer.set(5)
    timer.set(1)
    assert clock.running == 1
    clock.move_to(9)
    assert expired == [1]


def test_it_can_be_set_again_after_it_has_expired(
    clock: Clock, timer: LazyTimer, expired: list[float]
) -> None:
    timer.set(1)
    clock.move_to(2)
    timer.set(3)
    clock.move_to(4)
    assert expired == [1, 3]


def test_a_loop_timer_that_fires_early_does_not_expire_it(
    clock: Clock, timer: LazyTimer, expired: list[float]
) -> None:
    timer.set(2)
    clock.now = 1.9995
    clock.timers.pop().fire()
    assert expired == []
    clock.move_to(3)
    assert expired == [2]


async def test_a_stopped_timer_holds_no_reference_to_its_owner() -> None:
    class Owner:
        def __init__(self) -> None:
            self.timer = LazyTimer(asyncio.get_running_loop(), self.on_expire)

        def on_expire(self) -> None:
            pass

    owner = Owner()
    owner.timer.set(asyncio.get_running_loop().time() + 60)
    owner.timer.stop()
    reference = weakref.ref(owner)
    gc.disable()
    try:
        del owner
        assert reference() is None
    finally:
        gc.enable()


async def test_a_timer_ends_a_wait_with_its_error() -> None:
    future = asyncio.get_running_loop().create_future()
    expire(future, httpx.PoolTimeout, 0.25)
    with pytest.raises(httpx.PoolTimeout, match=r"timed out after 0\.25 s"):
        await future


async def test_a_result_that_arrives_when_the_timer_fires_counts() -> None:
    future = asyncio.get_running_loop().create_future()
    expire(future, httpx.ReadTimeout, 1)
    assert not future.done()
    future.set_result("here")
    for _ in range(2 * TURNS):
        await asyncio.sleep(0)
    assert await future == "here"


async def test_a_waiter_that_nothing_notifies_times_out() -> None:
    waiter = Waiter(asyncio.get_running_loop())
    with pytest.raises(httpx.WriteTimeout):
        await waiter.wait(0.001, httpx.WriteTimeout)


async def test_a_notified_waiter_can_wait_again() -> None:
    waiter = Waiter(asyncio.get_running_loop())
    waiter.notify()  # no task waits: it has no effect later
    for _ in range(2):
        waiting = asyncio.create_task(waiter.wait(None, httpx.ReadTimeout))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiter.notify()
        await waiting
