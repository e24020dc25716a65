"""Notices through a real Redis: each may be lost, and none is needed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from gateway.ratelimit.live import change_notice
from gateway.ratelimit.live.change_notice import ChangeNotices
from gateway.ratelimit.live.live_limits import CHANGE_MESSAGE, RESET_MESSAGE
from gateway.ratelimit.redis.commands import open_commands
from gateway.settings.schema import Counters, Settings
from tests.databases import wait_until
from tests.lost_cancellation import LostCancellation, require_cancelled
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis


@asynccontextmanager
async def open_notices(
    url: str, prefix: str = "", gate: asyncio.Event | None = None
) -> AsyncIterator[tuple[ChangeNotices, list[bool]]]:
    """Yield the notices of a process, and the list of what it has received.

    A process with a gate handles what it has received once the gate is set.
    """
    received = list[bool]()

    async def receive(has_reset: bool) -> None:
        received.append(has_reset)
        if gate is not None:
            await gate.wait()

    settings = Settings(redis_url=url, counters=Counters(key_prefix=prefix))
    async with open_commands(settings) as commands, open_commands(settings) as other:
        notices = ChangeNotices(commands, other.redis, receive)
        tasks = [asyncio.create_task(it) for it in (notices.subscribe(), notices.deliver())]
        try:
            yield notices, received
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def test_a_notice_reaches_all_processes_of_the_prefix(redis_server: RedisServer) -> None:
    url = redis_server.url
    async with (
        open_notices(url) as (here, mine),
        open_notices(url) as (_, others),
        open_notices(url, prefix="staging:") as (_, foreign),
    ):
        # A connect counts as a notice, as one may have been missed.
        await wait_until(lambda: mine == others == foreign == [True])
        await here.publish(CHANGE_MESSAGE)
        await wait_until(lambda: mine == others == [True, False])
        await here.publish(RESET_MESSAGE)
        await wait_until(lambda: mine == others == [True, False, True])
        assert foreign == [True]


async def test_many_notices_are_few_calls(redis_server: RedisServer) -> None:
    gate = asyncio.Event()
    async with open_notices(redis_server.url, gate=gate) as (notices, received):
        await wait_until(lambda: received == [True])
        for number in range(200):
            await notices.publish(RESET_MESSAGE if number == 100 else CHANGE_MESSAGE)
        gate.set()
        await wait_until(lambda: True in received[1:])
        await asyncio.sleep(0.1)
        assert len(received) < 100


async def test_after_a_restart_of_redis_notices_arrive_again(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.ratelimit")
    async with open_notices(own_redis.url) as (notices, received):
        await wait_until(lambda: received == [True])
        own_redis.kill()
        await notices.publish(CHANGE_MESSAGE)  # is lost
        await wait_until(lambda: "limits.notices_lost" in caplog.text)
        assert "status=lost" in repr(notices)
        own_redis.start()
        await wait_until(lambda: received == [True, True])
        assert caplog.text.count("limits.notices_lost") == 1
        assert caplog.text.count("limits.notices_restored") == 1
        assert "status=subscribed" in repr(notices)
        await notices.publish(CHANGE_MESSAGE)
        await wait_until(lambda: received == [True, True, False])


async def test_a_frozen_redis_is_found_by_a_ping(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(change_notice, "PING_SECONDS", 0.05)
    monkeypatch.setattr(change_notice, "PONG_SECONDS", 5)
    async with open_notices(own_redis.url) as (notices, received):
        await wait_until(lambda: received == [True])
        await asyncio.sleep(0.2)  # some pings
        assert received == [True]
        own_redis.pause()
        monkeypatch.setattr(change_notice, "PONG_SECONDS", 0.2)
        await wait_until(lambda: "no reply to a PING" in caplog.text)
        async with asyncio.timeout(20):
            await notices.publish(CHANGE_MESSAGE)
        own_redis.resume()
        await wait_until(lambda: len(received) >= 2)


async def test_a_user_without_the_permission_for_the_channel(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    acl = "ACL SETUSER lockgate on >secret ~lockgate:* resetchannels -@all +time"
    assert own_redis.command(*acl.split()) == "+OK"
    url = f"redis://lockgate:secret@127.0.0.1:{own_redis.port}/0"
    async with open_notices(url) as (notices, received):
        await wait_until(lambda: "limits.notices_lost" in caplog.text)
        await notices.publish(CHANGE_MESSAGE)
    assert received == []
    [record] = [it for it in caplog.records if it.msg == "limits.notices_lost"]
    assert "lacks a permission" in vars(record)["fields"]["reason"]


async def test_the_permissions_of_the_documentation_are_enough(own_redis: RedisServer) -> None:
    acl = (
        "ACL SETUSER lockgate on >secret resetchannels -@all &lockgate:limits "
        "+publish +subscribe +unsubscribe +ping"
    )
    assert own_redis.command(*acl.split()) == "+OK"
    url = f"redis://lockgate:secret@127.0.0.1:{own_redis.port}/0"
    async with open_notices(url) as (notices, received):
        await wait_until(lambda: received == [True])
        await notices.publish(CHANGE_MESSAGE)
        await wait_until(lambda: received == [True, False])


async def test_a_cancellation_that_redis_py_loses_ends_the_loop(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_notice, "PING_SECONDS", 0.05)
    lost, connected = LostCancellation(), asyncio.Event()

    async def receive(_: bool) -> None:
        connected.set()

    settings = Settings(redis_url=redis_server.url)
    async with open_commands(settings) as commands, open_commands(settings) as other:
        notices = ChangeNotices(commands, other.redis, receive)
        monkeypatch.setattr(asyncio, "wait_for", lost.wait_for)
        deliver = asyncio.create_task(notices.deliver())
        during_connect = asyncio.create_task(notices.subscribe())
        lost.tasks = {during_connect}
        await require_cancelled(lost.tasks)
        during_ping = asyncio.create_task(notices.subscribe())
        await connected.wait()
        lost.tasks = {during_ping}
        await require_cancelled(lost.tasks)
        deliver.cancel()
        await asyncio.wait({deliver})


async def test_nothing_is_left_open(no_leaks: None, redis_server: RedisServer) -> None:
    async with open_notices(redis_server.url) as (_, received):
        await wait_until(lambda: received == [True])
    async with Redis.from_url(redis_server.url, protocol=2) as redis:
        assert await redis.pubsub_numsub("lockgate:limits") == [(b"lockgate:limits", 0)]
