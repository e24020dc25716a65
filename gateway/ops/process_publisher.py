"""`ProcessPublisher`: lets the ops app hear this gateway process, and replies to its requests."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress
from logging import WARNING, getLogger
from typing import Protocol, cast

from pydantic import ValidationError
from redis.asyncio import Redis

from gateway.background_tasks import run_in_background
from gateway.ops.process_channel import (
    BEAT_SECONDS,
    END,
    FAILURES,
    HEARTBEAT_TTL_SECONDS,
    INDEX_TTL_SECONDS,
    MAX_HEARTBEAT_BYTES,
    MAX_REPLY_BYTES,
    PART_BYTES,
    REPLY_TTL_SECONDS,
    ChannelKeys,
    Counts,
    Heartbeat,
    ProcessRequest,
    RecordedSpan,
    open_channel,
)
from gateway.ops.redis_exchanges import RedisExchanges
from gateway.settings.schema import Settings
from gateway.telemetry.log import log_event

_WITHDRAW_SECONDS = 0.5

log = getLogger("lockgate.ops")


class ProcessSource(Protocol):
    """The state of a process, and its replies."""

    def count_recent(self) -> Mapping[str, Counts]:
        """Return the requests of the last ten seconds by policy."""

    def get_services(self) -> Mapping[str, str]:
        """Return the states of the services."""

    def describe_recorded(self) -> RecordedSpan | None:
        """Return what is recorded; None if nothing is."""

    async def respond(self, request: ProcessRequest) -> bytes:
        """Return the reply to a request of the ops app."""


@asynccontextmanager
async def publish_process(
    settings: Settings, name: str, source: ProcessSource
) -> AsyncIterator[None]:
    """Let the ops app hear this process for the length of the block; `redis_url` must be set."""
    async with open_channel(settings) as redis:
        keys = ChannelKeys(settings.counters.key_prefix)
        publisher = ProcessPublisher(redis, keys, name, source)
        try:
            async with (
                run_in_background("ops.heartbeat", publisher.publish_heartbeats),
                run_in_background("ops.replies", publisher.reply_to_requests),
            ):
                yield
        finally:
            await publisher.withdraw()


class ProcessPublisher:
    """Publishes the heartbeat of this process each second, and its replies when they are due."""

    def __init__(self, redis: Redis, keys: ChannelKeys, name: str, source: ProcessSource) -> None:
        self._redis = redis
        self._keys = keys
        self._name = name
        self._source = source
        self._started_at = time.time()
        self._beat = 0
        self._heartbeats = RedisExchanges("ops.heartbeat_failed")
        self._replies = RedisExchanges("ops.reply_failed")

    def __repr__(self) -> str:
        return (
            f"<ProcessPublisher {self._name} beat={self._beat} "
            f"heartbeats={self._heartbeats.status.value} replies={self._replies.status.value}>"
        )

    async def publish_heartbeats(self) -> None:
        """Publish a heartbeat each second until cancelled; Redis may be gone for any time."""
        while True:
            if await self._heartbeats.attempt(self._publish()):
                self._beat += 1
            await asyncio.sleep(BEAT_SECONDS)

    async def reply_to_requests(self) -> None:
        """Reply to the requests of the ops app, one after the other, until cancelled."""
        while True:
            if not await self._replies.attempt(self._reply_next()):
                await asyncio.sleep(BEAT_SECONDS)

    async def withdraw(self) -> None:
        """Let the ops app know at once that this process is ending."""
        with suppress(*FAILURES):
            async with asyncio.timeout(_WITHDRAW_SECONDS):
                await self._delete()

    async def _publish(self) -> None:
        heartbeat = self._describe().encode()
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(self._keys.heartbeat(self._name), heartbeat, ex=HEARTBEAT_TTL_SECONDS)
            pipeline.zadd(self._keys.index, {self._name: time.time()})
            pipeline.expire(self._keys.index, INDEX_TTL_SECONDS)
            await pipeline.execute()

    def _describe(self) -> str:
        """Return the heartbeat as JSON; a process with too many policies leaves the quiet ones out.

        The ops app would refuse a heartbeat that is too large.
        """
        usage = dict(self._source.count_recent())
        while True:
            heartbeat = Heartbeat(
                name=self._name,
                started_at=self._started_at,
                beat=self._beat,
                usage=usage,
                services=dict(self._source.get_services()),
                recorded=self._source.describe_recorded(),
            ).model_dump_json()
            if len(heartbeat) <= MAX_HEARTBEAT_BYTES or not usage:
                return heartbeat
            busiest = sorted(usage, key=lambda it: -usage[it].allowed - usage[it].refused)
            usage = {name: usage[name] for name in busiest[: len(usage) // 2]}

    async def _reply_next(self) -> None:
        """Wait for a request for a second at most, and reply to it."""
        popped = await cast(
            "Awaitable[tuple[bytes, bytes] | None]",
            self._redis.blpop([self._keys.requests(self._name)], timeout=BEAT_SECONDS),
        )
        if popped is None:
            return
        try:
            request = ProcessRequest.model_validate_json(popped[1])
        except ValidationError:
            return  # another version of Lockgate may send others
        reply = await self._source.respond(request)
        if len(reply) > MAX_REPLY_BYTES:
            log_event(log, "ops.reply_too_large", WARNING, wants=request.wants, bytes=len(reply))
            return
        await self._push(self._keys.reply(self._name, request.id), reply)

    async def _push(self, key: str, reply: bytes) -> None:
        parts = [reply[at : at + PART_BYTES] for at in range(0, len(reply), PART_BYTES)]
        for part in [*parts, END]:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.rpush(key, part)
                pipeline.expire(key, REPLY_TTL_SECONDS)
                await pipeline.execute()

    async def _delete(self) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(self._keys.heartbeat(self._name))
            pipeline.zrem(self._keys.index, self._name)
            await pipeline.execute()
