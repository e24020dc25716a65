"""Gateway processes and the ops app hear each other through a real Redis."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from gateway.background_tasks import run_in_background
from gateway.ops.process_channel import (
    MAX_HEARTBEAT_BYTES,
    PART_BYTES,
    ChannelKeys,
    Counts,
    ProcessRequest,
    RecordedSpan,
    open_channel,
)
from gateway.ops.process_publisher import ProcessPublisher, publish_process
from gateway.ops.process_registry import ProcessRegistry, ReplyRequest
from gateway.settings.schema import Counters, Settings
from tests.docs.project import ROOT
from tests.lost_cancellation import LostCancellation, require_cancelled
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

KEYS = ChannelKeys("staging:")


class FakeProcess:
    """A process that has counted `allowed` requests, and replies with `reply`."""

    def __init__(self, allowed: int = 1, reply: bytes = b"reply", policies: int = 1) -> None:
        self.allowed, self.reply, self.policies = allowed, reply, policies
        self.requests: list[ProcessRequest] = []

    def count_recent(self) -> Mapping[str, Counts]:
        return {
            f"policy_{number}": Counts(allowed=self.allowed + number, refused=0, shadow_refused=0)
            for number in range(self.policies)
        }

    def get_services(self) -> Mapping[str, str]:
        return {"orders": "ok"}

    def describe_recorded(self) -> RecordedSpan | None:
        return None

    async def respond(self, request: ProcessRequest) -> bytes:
        self.requests.append(request)
        return self.reply


def make_settings(server: RedisServer) -> Settings:
    return Settings(redis_url=server.url, counters=Counters(key_prefix="staging:"))


@asynccontextmanager
async def publish(settings: Settings, name: str, process: FakeProcess) -> AsyncIterator[None]:
    """Let a process be heard for the length of the block; it ends as if it were killed."""
    async with open_channel(settings) as redis:
        publisher = ProcessPublisher(redis, KEYS, name, process)
        tasks = [
            asyncio.create_task(publisher.publish_heartbeats()),
            asyncio.create_task(publisher.reply_to_requests()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


@asynccontextmanager
async def publish_heartbeats(settings: Settings, name: str) -> AsyncIterator[None]:
    """Let a process be heard that replies to nothing."""
    async with open_channel(settings) as redis:
        publisher = ProcessPublisher(redis, KEYS, name, FakeProcess())
        task = asyncio.create_task(publisher.publish_heartbeats())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


@asynccontextmanager
async def hear(settings: Settings) -> AsyncIterator[ProcessRegistry]:
    """Listen for the length of the block."""
    async with open_channel(settings) as redis:
        heard = ProcessRegistry(redis, KEYS, time.monotonic)
        task = asyncio.create_task(heard.listen())
        try:
            yield heard
        finally:
            task.cancel()
            await asyncio.wait({task})


async def wait_until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what changes it knows no event
            await asyncio.sleep(0.02)


async def wait_for_names(heard: ProcessRegistry, *names: str) -> None:
    await wait_until(lambda: [it.name for it in heard.list_processes()] == list(names))


async def test_all_processes_are_heard_and_reply(redis_server: RedisServer) -> None:
    settings = make_settings(redis_server)
    large = b"x" * (2 * PART_BYTES + 1)
    processes = {"a": FakeProcess(10), "b": FakeProcess(20, large), "c": FakeProcess(30, b"")}
    async with AsyncExitStack() as stack:
        for name, process in processes.items():
            await stack.enter_async_context(publish(settings, name, process))
        heard = await stack.enter_async_context(hear(settings))
        await wait_for_names(heard, "a", "b", "c")
        counts = {it.name: it.usage["policy_0"].allowed for it in heard.list_heartbeats()}
        assert counts == {"a": 10, "b": 20, "c": 30}
        replies = await heard.ask(ReplyRequest("usage", "pages", 60), 10)
        assert replies.received == {"a": b"reply", "b": large, "c": b""}
        assert replies.missing == []
        assert [(it.wants, it.policy, it.seconds) for it in processes["a"].requests] == [
            ("usage", "pages", 60)
        ]
    assert redis_server.command("EXISTS", "lockgate:processes") == ":0", "without the prefix"


async def test_a_process_that_does_not_reply_is_named(redis_server: RedisServer) -> None:
    settings = make_settings(redis_server)
    async with (
        publish(settings, "a", FakeProcess()),
        publish_heartbeats(settings, "b"),
        hear(settings) as heard,
    ):
        await wait_for_names(heard, "a", "b")
        replies = await heard.ask(ReplyRequest("recording"), 3)
        assert replies.received == {"a": b"reply"}
        assert replies.missing == ["b"]


async def test_a_process_that_ends_is_not_heard_any_more(redis_server: RedisServer) -> None:
    settings = make_settings(redis_server)
    async with hear(settings) as heard:
        async with publish_process(settings, "a", FakeProcess()):
            await wait_for_names(heard, "a")
        assert redis_server.command("EXISTS", KEYS.heartbeat("a")) == ":0"
        await wait_for_names(heard)


async def test_a_cancellation_that_redis_py_loses_ends_the_loops(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = LostCancellation()
    async with open_channel(make_settings(redis_server)) as redis:
        publisher = ProcessPublisher(redis, KEYS, "a", FakeProcess())
        heard = ProcessRegistry(redis, KEYS, time.monotonic)
        monkeypatch.setattr(asyncio, "wait_for", lost.wait_for)
        loops = (publisher.publish_heartbeats, publisher.reply_to_requests, heard.listen)
        tasks = {asyncio.create_task(loop()) for loop in loops}
        await wait_for_names(heard, "a")
        lost.tasks = tasks
        await require_cancelled(tasks)


async def test_redis_may_be_restarted_empty(own_redis: RedisServer) -> None:
    settings = make_settings(own_redis)
    async with publish(settings, "a", FakeProcess()), hear(settings) as heard:
        await wait_for_names(heard, "a")
        own_redis.kill()
        await wait_until(lambda: heard.failure)
        assert "reading=failed" in repr(heard)
        own_redis.start()
        await wait_until(lambda: not heard.failure)
        await wait_for_names(heard, "a")
        replies = await heard.ask(ReplyRequest("usage"), 10)
        assert replies.received == {"a": b"reply"}


async def test_a_failure_is_logged_once_though_the_other_loop_succeeds(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.ops.process_publisher.BEAT_SECONDS", 0.02)
    acl = "ACL SETUSER reader on >secret ~* -@all +blpop +rpush +expire +client"
    assert own_redis.command(*acl.split()) == "+OK"  # no SET: heartbeats fail
    url = own_redis.url.replace("//", "//reader:secret@")
    settings = make_settings(own_redis).model_copy(update={"redis_url": url})
    async with open_channel(settings) as redis:
        publisher = ProcessPublisher(redis, KEYS, "a", process := FakeProcess())
        async with (
            run_in_background("heartbeats", publisher.publish_heartbeats),
            run_in_background("replies", publisher.reply_to_requests),
        ):
            for number in range(5):
                await wait_until(lambda: "ops.heartbeat_failed" in caplog.text)
                request = ProcessRequest(id=f"{number:032}", wants="usage").model_dump_json()
                own_redis.command("RPUSH", KEYS.requests("a"), request)
                await wait_until(lambda: len(process.requests) > number)  # noqa: B023
            assert "beat=0 heartbeats=failed replies=ok" in repr(publisher)
    events = [it.msg for it in caplog.records if it.name == "lockgate.ops"]
    assert events == ["ops.heartbeat_failed"]


async def test_a_reply_that_is_too_large_is_missing_and_the_others_are_read(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ops.process_registry.MAX_REPLY_BYTES", 10)
    settings = make_settings(redis_server)
    large, small = FakeProcess(reply=b"x" * 11), FakeProcess(reply=b"x" * 10)
    async with (
        publish(settings, "a", large),
        publish(settings, "b", small),
        publish(settings, "c", small),
        hear(settings) as heard,
    ):
        await wait_for_names(heard, "a", "b", "c")
        replies = await heard.ask(ReplyRequest("usage"), 10)
        assert sorted(replies.received) == ["b", "c"]
        assert replies.missing == ["a"]


async def test_the_documented_permissions_are_enough(own_redis: RedisServer) -> None:
    page = (ROOT / "docs/how-to/run-in-production.md").read_text()
    (documented,) = re.findall(r"^ACL SETUSER lockgate (.*)$", page, re.MULTILINE)
    (further,) = re.findall(r"it also needs `([^`]+)`", page)
    rules = documented.replace(">PASSWORD", ">secret").replace("~lockgate", "~staging:lockgate")
    command = ("ACL", "SETUSER", "gate", *rules.split(), *further.split())
    assert own_redis.command(*command) == "+OK"
    url = own_redis.url.replace("//", "//gate:secret@")
    settings = make_settings(own_redis).model_copy(update={"redis_url": url})
    async with hear(settings) as heard:
        async with publish_process(settings, "a", FakeProcess()):
            await wait_for_names(heard, "a")
            replies = await heard.ask(ReplyRequest("usage"), 10)
            assert replies.received == {"a": b"reply"}
        assert own_redis.command("EXISTS", KEYS.heartbeat("a")) == ":0"
        own_redis.command("ZADD", KEYS.index, "1", "gone")
        await wait_until(lambda: own_redis.command("ZSCORE", KEYS.index, "gone") == "$-1")
        assert not heard.failure


# Members that replace those of a heartbeat that is valid.
EVIL_MEMBERS = (
    *(f'"started_at": {it}' for it in ("1e300", "-1e18", "NaN", "253402300800", '"2e9"')),
    '"recorded": {"begin": 1e300, "end": 1e301, "decisions": 1}',
    '"recorded": {"begin": 1700000000, "end": 1700000001, "decisions": -1}',
    '"usage": {"p": {"allowed": -1000000, "refused": 0, "shadow_refused": 0}}',
    f'"usage": {{"p": {{"allowed": 0, "refused": 1{"0" * 300}, "shadow_refused": 0}}}}',
    '"beat": -1',
)


def make_evil_heartbeats() -> Iterator[str]:
    for number, members in enumerate(EVIL_MEMBERS):
        own = '"started_at": 1700000000, "beat": 1'
        yield f'{{"name": "evil-{number}", {own}, {members}}}'


async def test_entries_of_the_future_do_not_hide_processes(redis_server: RedisServer) -> None:
    settings = make_settings(redis_server)
    forged = [text for number in range(400) for text in ("1e12", f"forged-{number}")]
    redis_server.command("ZADD", KEYS.index, *forged)
    for name in forged[1::2]:
        redis_server.command("SET", KEYS.heartbeat(name), "{}", "EX", "60")
    async with publish(settings, "a", FakeProcess()), hear(settings) as heard:
        await wait_for_names(heard, "a")


async def test_messages_that_are_none_are_ignored(redis_server: RedisServer) -> None:
    settings = make_settings(redis_server)
    async with publish(settings, "a", FakeProcess()), hear(settings) as heard:
        heartbeats = {
            "garbage": "{",
            "other": '{"name": "a", "started_at": 1, "beat": 1}',
            "large": " " * (MAX_HEARTBEAT_BYTES + 1),
        } | {f"evil-{number}": text for number, text in enumerate(make_evil_heartbeats())}
        for name, value in heartbeats.items():
            redis_server.command("SET", KEYS.heartbeat(name), value)
            redis_server.command("ZADD", KEYS.index, "1", name)
        for request in ('"wants": "secrets"', '"wants": "usage", "seconds": 1000000000000'):
            text = f'{{"id": "{"0" * 32}", {request}}}'
            redis_server.command("RPUSH", KEYS.requests("a"), text)
        await wait_for_names(heard, "a")
        replies = await heard.ask(ReplyRequest("usage"), 10)
        assert replies.received == {"a": b"reply"}


async def test_a_heartbeat_is_bounded_and_keeps_the_busiest_policies(
    redis_server: RedisServer,
) -> None:
    settings = make_settings(redis_server)
    async with publish(settings, "a", FakeProcess(policies=3_000)), hear(settings) as heard:
        await wait_for_names(heard, "a")
        (heartbeat,) = heard.list_heartbeats()
        assert len(heartbeat.model_dump_json()) <= MAX_HEARTBEAT_BYTES
        assert len(heartbeat.usage) > 100
        assert min(it.allowed for it in heartbeat.usage.values()) > 1_500


@pytest.mark.parametrize("failure", [None, TimeoutError])
async def test_a_cancellation_that_an_exchange_drops_still_ends_the_loop(
    redis_server: RedisServer, failure: type[Exception] | None
) -> None:
    """redis-py drops one that arrives together with the result, in Python 3.11."""

    class Dropping(FakeProcess):
        async def respond(self, request: ProcessRequest) -> bytes:
            current = asyncio.current_task()
            assert current is not None
            current.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            if failure is not None:
                raise failure
            return await super().respond(request)

    async with open_channel(make_settings(redis_server)) as redis:
        request = ProcessRequest(id="0" * 32, wants="usage").model_dump_json()
        await redis.rpush(KEYS.requests("dropping"), request)
        publisher = ProcessPublisher(redis, KEYS, "dropping", Dropping())
        task = asyncio.create_task(publisher.reply_to_requests())
        done, _ = await asyncio.wait({task}, timeout=20)
        task.cancel()
        assert done == {task}
