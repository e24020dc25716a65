"""Parts that are coroutines run concurrently, under one budget; in virtual time."""

import asyncio
import gc
import logging
from contextlib import suppress
from typing import Annotated

import pytest

from gateway.aggregation import Composite, Part
from gateway.aggregation.executor import PartExecutor, compose
from gateway.request_context import RequestContext
from gateway.testing import run_in_virtual_time
from gateway.upstream.deadline import remaining
from gateway.upstream.errors import UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable

stopped: list[str] = []


@pytest.fixture(autouse=True)
def _clear_stopped() -> None:
    stopped.clear()


async def sleep_then_return(seconds: float, name: str) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        stopped.append(name)
        raise
    return name


async def fetch_first(first: float) -> str:
    return await sleep_then_return(first, "first")


async def fetch_second(second: float) -> str:
    return await sleep_then_return(second, "second")


async def fetch_broken(second: float) -> str:
    await sleep_then_return(second, "broken")
    raise ZeroDivisionError


async def fetch_unavailable(first: float) -> str:
    await sleep_then_return(first, "unavailable")
    raise UpstreamUnavailable("orders", "GET /orders")


async def fetch_name(first: float) -> str:
    await asyncio.sleep(first)
    task = asyncio.current_task()
    return task.get_name() if task else ""


async def fetch_that_fails_when_cancelled(second: float) -> str:
    try:
        return await sleep_then_return(second, "stubborn")
    except asyncio.CancelledError:
        raise ZeroDivisionError from None


async def fetch_invalid(second: float) -> str:
    await sleep_then_return(second, "invalid")
    raise UpstreamInvalid("users", "GET /users")


class Page(Composite, budget=2):
    first: Annotated[str, Part(fetch_first)]
    second: Annotated[str, Part(fetch_second, timeout=1)] = "fallback"


class Fragile(Composite, budget=2):
    first: Annotated[str, Part(fetch_unavailable)]
    second: Annotated[str, Part(fetch_second)]


class Buggy(Composite):
    first: Annotated[str, Part(fetch_first)]
    second: Annotated[str, Part(fetch_broken)] = "fallback"


class Hopeless(Composite):
    first: Annotated[str, Part(fetch_unavailable)]
    second: Annotated[str, Part(fetch_invalid)]


class Named(Composite):
    first: Annotated[str, Part(fetch_name)]
    second: Annotated[str, Part(fetch_second)] = "fallback"


class TimedComposition:
    """A composed page or its error, and how long composing took."""

    def __init__(self, model: type[Composite], **inputs: float) -> None:
        self.error: Exception | None = None
        self.page: Composite | None = None
        self.context = RequestContext()
        self.seconds = run_in_virtual_time(self._run(model, inputs))

    async def _run(self, model: type[Composite], inputs: dict[str, float]) -> float:
        started_at = asyncio.get_running_loop().time()
        try:
            self.page = await compose(model, inputs, self.context)
        except Exception as error:  # noqa: BLE001 - the test inspects it
            self.error = error
        assert len(asyncio.all_tasks()) == 1
        return asyncio.get_running_loop().time() - started_at


def test_parts_load_concurrently() -> None:
    result = TimedComposition(Page, first=0.3, second=0.5)
    assert result.page == Page(first="first", second="second")
    assert result.seconds == pytest.approx(0.5)
    assert [name for name, _ in result.context.server_timing] == ["first", "second"]


class Stubborn(Composite, budget=2):
    first: Annotated[str, Part(fetch_unavailable)]
    second: Annotated[str, Part(fetch_that_fails_when_cancelled)] = "fallback"


async def let_fail(model: type[Composite]) -> None:
    with suppress(Exception):
        await compose(model, {"first": 0.1, "second": 1.5}, RequestContext())


@pytest.mark.parametrize("model", [Page, Buggy, Fragile, Hopeless, Stubborn])
def test_no_failure_leaves_a_reference_cycle(model: type[Composite]) -> None:
    logging.disable()  # pytest keeps log records, and they the tracebacks
    gc.collect()
    gc.disable()
    try:
        run_in_virtual_time(let_fail(model))
        held = [it for it in gc.get_objects() if isinstance(it, PartExecutor)]
    finally:
        gc.enable()
        logging.disable(logging.NOTSET)
    assert held == []


def test_the_task_of_a_part_has_its_name() -> None:
    result = TimedComposition(Named, first=0.1, second=0.1)
    assert result.page is not None
    assert result.page.model_dump()["first"] == "first"


def test_an_optional_part_that_times_out_falls_back() -> None:
    result = TimedComposition(Page, first=0.3, second=5)
    assert result.page is not None
    assert result.page.model_dump() == {
        "first": "first",
        "second": "fallback",
        "degraded": [{"part": "second", "reason": "timeout"}],
    }
    assert result.seconds == pytest.approx(1)
    assert stopped == ["second"]
    assert result.context.log_fields == {"degraded": "second: second second: timeout (over 1 s)"}


def test_a_required_part_that_times_out_fails_at_the_budget() -> None:
    result = TimedComposition(Page, first=5, second=0.1)
    assert isinstance(result.error, UpstreamTimeout)
    assert result.seconds == pytest.approx(2)


def test_a_required_part_that_fails_cancels_the_others_at_once() -> None:
    result = TimedComposition(Fragile, first=0.1, second=1.5)
    assert isinstance(result.error, UpstreamUnavailable)
    assert result.seconds == pytest.approx(0.1)
    assert stopped == ["second"]


def test_a_bug_in_an_optional_part_affects_that_part_only(caplog: pytest.LogCaptureFixture) -> None:
    result = TimedComposition(Buggy, first=0.1, second=0.1)
    assert result.page is not None
    assert result.page.degraded[0].reason == "error"
    assert "ZeroDivisionError" in caplog.text


def test_a_cancelled_composition_leaves_nothing_running() -> None:
    async def leave_early() -> None:
        work = asyncio.create_task(compose(Page, {"first": 9, "second": 9}, RequestContext()))
        await asyncio.sleep(0.2)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert len(asyncio.all_tasks()) == 1

    run_in_virtual_time(leave_early())
    assert sorted(stopped) == ["first", "second"]


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [(0.1, 0.2, UpstreamUnavailable), (0.2, 0.1, UpstreamInvalid), (0, 0, UpstreamUnavailable)],
)
def test_the_first_required_part_to_fail_decides(
    first: float, second: float, error: type[Exception]
) -> None:
    assert isinstance(TimedComposition(Hopeless, first=first, second=second).error, error)


def test_the_remaining_budget_is_the_deadline_of_a_parts_calls() -> None:
    left: list[float | None] = []

    async def fetch_budget() -> str:
        left.append(remaining())
        return ""

    class Budgeted(Composite, budget=2):
        first: Annotated[str, Part(fetch_budget, timeout=0.75)]

    assert TimedComposition(Budgeted).page is not None
    assert left == [0.75]
