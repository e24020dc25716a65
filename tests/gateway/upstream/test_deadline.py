"""The remaining time under nested deadlines."""

import asyncio

import pytest

from gateway.upstream.deadline import deadline, remaining


class _Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    return _Clock(monkeypatch)


async def test_it_runs_down_and_stops_at_zero(clock: _Clock) -> None:
    assert remaining() is None
    with deadline(2):
        assert remaining() == 2
        clock.now += 1.5
        assert remaining() == 0.5
        clock.now += 1
        assert remaining() == 0
    assert remaining() is None


async def test_an_inner_deadline_can_only_shorten(clock: _Clock) -> None:
    with deadline(2):
        with deadline(5):
            assert remaining() == 2
        with deadline(1):
            assert remaining() == 1
        clock.now += 0.5
        assert remaining() == 1.5


def test_a_deadline_with_a_clock_needs_no_event_loop() -> None:
    now = 5.0
    with deadline(2, lambda: now):
        now += 0.5
        assert remaining() == 1.5


async def test_tasks_started_inside_inherit_it() -> None:
    async def get_remaining() -> float | None:
        return remaining()

    with deadline(60):
        task = asyncio.create_task(get_remaining())
    left = await task
    assert left is not None
    assert 0 < left <= 60
