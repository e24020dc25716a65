"""Failures that only general routes have: in threads, and around the `yield` of a dependency."""

import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends

from gateway.errors.tree import Forbidden
from tests.gateway.errors.way import OURS, Thing, Way, expect


def fail_in_a_thread() -> Thing:
    raise KeyError("hunter2")


def stop_in_a_thread() -> Thing:
    raise StopIteration


def exit_in_a_thread() -> Thing:
    sys.exit(4)


def refuse_in_a_thread() -> Thing:
    raise Forbidden


def depending_on(dependency: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    async def endpoint(_: Annotated[Any, Depends(dependency, **options)]) -> Thing:
        return Thing(number=1)

    return endpoint


async def fail_before_yield() -> AsyncIterator[int]:
    if sys.argv:
        raise KeyError("hunter2")
    yield 1


async def fail_after_yield() -> AsyncIterator[int]:
    yield 1
    raise KeyError("hunter2")


async def refuse_after_yield() -> AsyncIterator[int]:
    yield 1
    raise Forbidden


def fail_after_yield_in_a_thread() -> Iterator[int]:
    yield 1
    raise KeyError("hunter2")


async def swallow() -> AsyncIterator[int]:
    with contextlib.suppress(ValueError):
        yield 1


async def raise_into_swallow(_: Annotated[int, Depends(swallow)]) -> Thing:
    raise ValueError("hunter2")


async def add_failing_task(tasks: BackgroundTasks) -> Thing:
    tasks.add_task(fail_in_a_thread)
    return Thing(number=1)


SENT: dict[str, Any] = {"status": 200, "type": None}

DEPENDENCIES = [
    Way("def endpoint", fail_in_a_thread),
    Way("def endpoint that stops", stop_in_a_thread),
    Way("def endpoint that exits", exit_in_a_thread),
    Way("def endpoint that refuses", refuse_in_a_thread, **expect(403, OURS + "forbidden")),
    Way("def dependency", depending_on(fail_in_a_thread)),
    Way("def dependency that exits", depending_on(exit_in_a_thread)),
    Way("before yield", depending_on(fail_before_yield)),
    Way("after yield", depending_on(fail_after_yield), **SENT),
    Way("after yield, expected", depending_on(refuse_after_yield), **SENT),
    Way("after yield in a thread", depending_on(fail_after_yield_in_a_thread), **SENT),
    Way("after yield, before the response", depending_on(fail_after_yield, scope="function")),
    Way(
        "after yield, before the response, expected",
        depending_on(refuse_after_yield, scope="function"),
        **expect(403, OURS + "forbidden"),
    ),
    Way("swallowed by a dependency", raise_into_swallow),
    Way("BackgroundTasks", add_failing_task, **SENT),
]
