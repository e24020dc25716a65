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
    keep_running,
    log_loop_error,
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
