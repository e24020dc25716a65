"""Callbacks of running requests, when the server stops."""

import asyncio
from functools import partial

import pytest

from gateway.request_context import SHUTDOWN_NOTICE
from gateway.server.shutdown_notice import ShutdownNotice, call_at_shutdown


def test_each_callback_is_called_once_unless_it_was_discarded() -> None:
    notice, called = ShutdownNotice(), list[str]()
    first, second, late = (lambda name=name: called.append(name) for name in ("a", "b", "late"))
    notice.add(first)
    notice.add(second)
    notice.discard(first)
    notice.give()
    notice.give()
    assert called == ["b"]
    notice.add(late)
    assert called == ["b", "late"]


async def test_callbacks_are_called_one_by_one() -> None:
    notice, called = ShutdownNotice(), list[int]()
    callbacks = [lambda number=number: called.append(number) for number in range(20)]
    for callback in callbacks:
        notice.add(callback)
    giving = asyncio.create_task(notice.give_gradually(0.2))
    while len(called) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert not giving.done()
    left = set(range(20)) - set(called)
    gone = left.pop()
    notice.discard(callbacks[gone])
    late = lambda: called.append(99)  # noqa: E731
    notice.add(late)
    await giving
    assert sorted(called) == sorted(set(range(20)) - {gone})
    notice.give()
    assert called[-1] == 99
    assert len(called) == 20


def test_a_response_is_called_while_it_runs() -> None:
    notice, called = ShutdownNotice(), list[str]()
    scope = {"state": {SHUTDOWN_NOTICE: notice}}
    with call_at_shutdown(scope, lambda: called.append("ended")):
        pass
    with call_at_shutdown({}, lambda: called.append("another server")):
        pass
    with call_at_shutdown(scope, lambda: called.append("running")):
        notice.give()
    assert called == ["running"]


@pytest.mark.parametrize("is_gradual", [True, False])
async def test_a_callback_that_fails_is_logged_and_keeps_no_other_from_being_called(
    caplog: pytest.LogCaptureFixture, *, is_gradual: bool
) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    notice, called = ShutdownNotice(), list[int]()
    for number in range(10):
        notice.add(partial(called.append, number))
    notice.add(fail)
    if is_gradual:
        await notice.give_gradually(0.01)
    notice.give()
    assert sorted(called) == list(range(10))
    notice.add(fail)
    events = [record.getMessage() for record in caplog.records]
    assert events == ["server.shutdown_notice_failed"] * 2
