"""The system clock, and the manual clock that replaces it in tests."""

import time

from gateway.auth.clock import Clock
from tests.gateway.auth.manual_clock import ManualClock


def test_now_and_monotonic_are_the_functions_of_the_standard_library() -> None:
    clock = Clock()
    assert clock.now is time.time  # no Python frame on the path of every request
    assert clock.monotonic is time.monotonic


async def test_sleep_lasts_at_least_the_given_time() -> None:
    clock = Clock()
    started = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - started >= 0.009


async def test_a_manual_clock_moves_only_when_it_is_advanced() -> None:
    clock: Clock = ManualClock(1_000)
    assert (clock.now(), clock.monotonic()) == (1_000, 1_000)
    assert isinstance(clock, ManualClock)
    await clock.advance(5)
    assert (clock.now(), clock.monotonic()) == (1_005, 1_005)
