"""A background task that fails is logged, and run again or shown by /readyz."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.background_tasks import (
    WatchedTasks,
    cancel_and_wait,
    keep_running,
    log_loop_error,
    run_in_background,
)
from gateway.lifespan import LifespanFailed
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from gateway.resources import Resources
from gateway.settings.schema import Settings
from gateway.testing.virtual_time import run_in_virtual_time


def list_events(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    return [(record.msg, getattr(record, "fields", {})) for record in caplog.records]


async def fail() -> None:
    raise ZeroDivisionError


async def test_a_task_that_fails_is_logged_and_one_that_ends_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = WatchedTasks()
    ended, failed, cancelled = (
        asyncio.create_task(asyncio.sleep(0)),
        asyncio.create_task(fail(), name="poll prices"),
        asyncio.create_task(asyncio.sleep(60)),
    )
    for task in (ended, failed, cancelled):
        tasks.watch(task)
    cancelled.cancel()
    await asyncio.wait([ended, failed, cancelled])
    await asyncio.sleep(0)
    assert tasks.failures == {"poll prices": "ZeroDivisionError"}
    assert list_events(caplog) == [("task.failed", {"task": "poll prices"})]
    assert caplog.records[0].exc_info is not None


def test_a_task_that_must_go_on_is_run_again_after_growing_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    starts: list[float] = []

    async def run() -> None:
        starts.append(asyncio.get_running_loop().time())
        if len(starts) == 4:
            await asyncio.sleep(100)
        await fail()

    async def observe() -> None:
        task = asyncio.create_task(keep_running("refresh", run))
        await asyncio.sleep(109)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_in_virtual_time(observe())
    assert starts == [0, 1, 3, 7, 108]  # after the long run, the pause is one second again
    assert list_events(caplog)[1] == ("task.failed", {"task": "refresh", "restart_seconds": 2.0})


class Run:
    """A run whose end takes several turns of the event loop; `events` has what all runs did."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name = name
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._events = events

    async def __call__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert task.get_name() == self.name
        self.started.set()
        try:
            await asyncio.sleep(60)
        finally:
            self._events.append(f"{self.name} ends")
            await self.may_end.wait()
            await asyncio.sleep(0)
            self._events.append(f"{self.name} has ended")


async def test_a_background_run_has_ended_when_its_block_is_left() -> None:
    events: list[str] = []
    run = Run("refresh", events)
    async with run_in_background("refresh", run):
        await run.started.wait()
        events.append("the block ends")
    assert events == ["the block ends", "refresh ends", "refresh has ended"]


async def test_an_exception_of_the_block_ends_its_background_run_and_is_raised() -> None:
    events: list[str] = []
    run = Run("refresh", events)

    async def serve() -> None:
        async with run_in_background("refresh", run):
            await run.started.wait()
            raise LookupError("no price")

    with pytest.raises(LookupError, match="no price"):
        await serve()
    assert events == ["refresh ends", "refresh has ended"]


async def test_several_background_runs_end_in_the_reverse_order() -> None:
    events: list[str] = []
    first, second = Run("first", events), Run("second", events)
    async with run_in_background("first", first), run_in_background("second", second):
        await first.started.wait()
        await second.started.wait()
    assert events == ["second ends", "second has ended", "first ends", "first has ended"]


async def test_a_background_run_that_fails_while_it_ends_is_logged_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    started = asyncio.Event()

    async def run() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await fail()

    async with run_in_background("refresh", run):
        await started.wait()
    assert [event for event, _ in list_events(caplog)] == ["task.failed"]


async def test_a_cancellation_of_the_block_while_its_background_run_ends_is_not_lost() -> None:
    run = Run("refresh", [])
    run.may_end.clear()
    is_ending = asyncio.Event()

    async def serve() -> None:
        async with run_in_background("refresh", run):
            await run.started.wait()
            is_ending.set()

    serving = asyncio.create_task(serve())
    await is_ending.wait()
    serving.cancel()
    await asyncio.wait({serving})
    assert serving.cancelled()
    run.may_end.set()


async def test_cancel_and_wait_waits_for_tasks_in_any_state() -> None:
    events: list[str] = []
    run = Run("refresh", events)
    running, ended, failed = (
        asyncio.create_task(run(), name="refresh"),
        asyncio.create_task(asyncio.sleep(0)),
        asyncio.create_task(fail()),
    )
    await asyncio.wait({ended, failed})
    await cancel_and_wait(running, ended, failed)
    assert events == ["refresh ends", "refresh has ended"]
    assert isinstance(failed.exception(), ZeroDivisionError)
    await cancel_and_wait()


async def test_what_the_event_loop_reports_is_an_event_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_loop_error)
    loop.call_soon(lambda: 1 / 0)
    task = asyncio.create_task(fail(), name="forgotten")
    await asyncio.wait([task])
    del task
    await asyncio.sleep(0)
    (callback, fields), (lost, of_task) = list_events(caplog)
    assert (callback, lost) == ("loop.error", "loop.error")
    assert "Exception in callback" in fields["message"]
    assert of_task == {
        "message": "Task exception was never retrieved",
        "task": "forgotten",
    }


@pytest.fixture
def start() -> Callable[[Application, Settings], Any]:
    """Start a gateway, and return a client connected to it."""

    @asynccontextmanager
    async def open_gateway(
        application: Application, settings: Settings
    ) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(settings, application=application)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http,
        ):
            yield http

    return open_gateway


async def test_a_task_of_the_package_that_fails_takes_the_process_out_of_rotation(
    start: Callable[[Application, Settings], Any], caplog: pytest.LogCaptureFixture
) -> None:
    go = asyncio.Event()

    async def poll() -> None:
        await go.wait()
        raise LookupError("no price")

    @asynccontextmanager
    async def lifespan(_: Resources) -> AsyncIterator[None]:
        task = asyncio.create_task(poll(), name="poll prices")
        yield
        task.cancel()

    async with start(Application(lifespan=lifespan), Settings()) as http:
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["tasks"]) == (200, {})
        go.set()
        await asyncio.sleep(0.01)
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert ready.json()["tasks"] == {"poll prices": "LookupError"}
        assert (await http.get("/healthz")).status_code == 200
    assert ("task.failed", {"task": "poll prices"}) in list_events(caplog)


async def test_an_unexpected_exception_of_the_start_ends_it(
    start: Callable[[Application, Settings], Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(RedisLimiter, "_connect", lambda _: 1 / 0)
    settings = Settings.model_validate({"redis_url": "redis://127.0.0.1:1/0"})
    with pytest.raises(LifespanFailed, match="the rate limiter failed: ZeroDivisionError in "):
        async with asyncio.timeout(60), start(Application(), settings):
            pass
    assert "lifespan.failed" in [event for event, _ in list_events(caplog)]
