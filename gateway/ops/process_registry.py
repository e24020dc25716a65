"""`ProcessRegistry`: the gateway processes whose heartbeats the ops app reads in Redis."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple, cast

from pydantic import ValidationError
from redis.asyncio import Redis

from gateway.background_tasks import run_in_background
from gateway.ops.models import Process
from gateway.ops.process_channel import (
    BEAT_SECONDS,
    END,
    FAILURES,
    HEARTBEAT_TTL_SECONDS,
    MAX_HEARTBEAT_BYTES,
    MAX_PROCESSES,
    MAX_REPLIES_BYTES,
    MAX_REPLY_BYTES,
    REQUEST_TTL_SECONDS,
    ChannelKeys,
    Heartbeat,
    ProcessRequest,
    open_channel,
)
from gateway.ops.redis_exchanges import RedisExchanges
from gateway.settings.schema import Settings

_MAX_CLOCK_SKEW_SECONDS = 60  # an entry of a later time is none of a process
_MAX_REQUESTS = 2  # at a time: each occupies a connection


class ReplyRequest(NamedTuple):
    """A request for a reply of each process; `policy` and `seconds` are those of the usage."""

    wants: Literal["usage", "recording"]
    policy: str = ""
    seconds: int = 0


class SeenProcess(NamedTuple):
    """The last heartbeat of a process, and when this process has read it first (monotonic)."""

    heartbeat: Heartbeat
    seen_at: float


@dataclass(slots=True)
class Replies:
    """The replies of processes by name, and the names of those that have not replied in time."""

    received: dict[str, bytes] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@asynccontextmanager
async def open_process_registry(
    settings: Settings, clock: Callable[[], float]
) -> AsyncIterator["ProcessRegistry"]:
    """Listen to the processes for the length of the block; `redis_url` must be set."""
    async with open_channel(settings) as redis:
        registry = ProcessRegistry(redis, ChannelKeys(settings.counters.key_prefix), clock)
        async with run_in_background("ops.listen", registry.listen):
            yield registry


class ProcessRegistry:
    """Reads the heartbeats each second, and sends requests to the processes.

    `clock` returns seconds that never go back.
    """

    # Invariants:
    # - A process of `_seen` was in the last list that was read from Redis, with a valid heartbeat.
    # - While Redis cannot be read, a process stays in `_seen` until HEARTBEAT_TTL_SECONDS after its
    #   last new heartbeat.

    def __init__(self, redis: Redis, keys: ChannelKeys, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock
        self._seen = dict[str, SeenProcess]()
        self._asking = asyncio.Semaphore(_MAX_REQUESTS)
        self._reading = RedisExchanges("ops.listen_failed")

    def __repr__(self) -> str:
        return (
            f"<ProcessRegistry processes={sorted(self._seen)} reading={self._reading.status.value}>"
        )

    @property
    def failure(self) -> str:
        """The kind of exception with which Redis could not be read the last time, or ""."""
        return self._reading.failure

    def list_processes(self) -> list[Process]:
        """Return the processes by name, with the seconds since their last heartbeat was read."""
        now = self._clock()
        return [
            Process(
                name=name,
                started_at=datetime.fromtimestamp(it.heartbeat.started_at, UTC),
                last_seen_seconds=round(max(0.0, now - it.seen_at), 3),
            )
            for name, it in sorted(self._seen.items())
        ]

    def list_heartbeats(self) -> Sequence[Heartbeat]:
        """Return the last heartbeat of each process."""
        return [it.heartbeat for it in self._seen.values()]

    async def listen(self) -> None:
        """Read the heartbeats each second until cancelled; Redis may be gone for any time."""
        while True:
            if not await self._reading.attempt(self._read()):
                self._drop_silent()
            await asyncio.sleep(BEAT_SECONDS)

    async def ask(self, wanted: ReplyRequest, seconds: float) -> Replies:
        """Send a request to all processes, and wait for their replies at most so long."""
        request = ProcessRequest(id=secrets.token_hex(16), **wanted._asdict())
        names = list(self._seen)
        reading = _RepliesReader(
            self._redis, {self._keys.reply(it, request.id): it for it in names}
        )
        try:
            async with asyncio.timeout(seconds), self._asking:
                await self._send(names, request)
                await reading.read_all(self._seen)
        except FAILURES as error:
            if not isinstance(error, TimeoutError):
                self._reading.fail(error)
        return reading.finish()

    async def _send(self, names: Sequence[str], request: ProcessRequest) -> None:
        message = request.model_dump_json()
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.rpush(self._keys.requests(name), message)
                pipeline.expire(self._keys.requests(name), REQUEST_TTL_SECONDS)
            await pipeline.execute()

    async def _read(self) -> None:
        self._note(await self._read_heartbeats())

    async def _read_heartbeats(self) -> Mapping[str, bytes | None]:
        """Return the heartbeats by the name of the process; None for one that has expired."""
        latest = time.time() + _MAX_CLOCK_SKEW_SECONDS
        found = await self._redis.zrevrangebyscore(
            self._keys.index, latest, "-inf", start=0, num=MAX_PROCESSES
        )
        names = [name.decode(errors="replace") for name in cast("list[bytes]", found)]
        if not names:
            return {}
        values = cast(
            "list[bytes | None]",
            await self._redis.mget([self._keys.heartbeat(name) for name in names]),
        )
        heartbeats = dict(zip(names, values, strict=True))
        if gone := [name for name, value in heartbeats.items() if value is None]:
            await self._redis.zrem(self._keys.index, *gone)
        return heartbeats

    def _note(self, found: Mapping[str, bytes | None]) -> None:
        now = self._clock()
        for name in self._seen.keys() - found.keys():
            del self._seen[name]
        for name, value in found.items():
            heartbeat = None if value is None else _parse(name, value)
            known = self._seen.get(name)
            if heartbeat is None:
                self._seen.pop(name, None)
            elif known is None or known.heartbeat.beat != heartbeat.beat:
                self._seen[name] = SeenProcess(heartbeat, now)

    def _drop_silent(self) -> None:
        oldest = self._clock() - HEARTBEAT_TTL_SECONDS
        for name in [name for name, it in self._seen.items() if it.seen_at < oldest]:
            del self._seen[name]


def _parse(name: str, value: bytes) -> Heartbeat | None:
    """Parse a heartbeat; None for one of another version of Lockgate, or of another name."""
    if len(value) > MAX_HEARTBEAT_BYTES:
        return None
    try:
        heartbeat = Heartbeat.model_validate_json(value)
    except ValidationError:
        return None
    return heartbeat if heartbeat.name == name else None


class _RepliesReader:
    """Reads the parts of all replies; `names` has the process by the key of its reply."""

    def __init__(self, redis: Redis, names: Mapping[str, str]) -> None:
        self._redis = redis
        self._waiting = dict(names)
        self._parts: dict[str, list[bytes]] = {name: [] for name in names.values()}
        self._complete = list[str]()
        self._too_large = list[str]()
        self._bytes = 0

    async def read_all(self, present: Container[str]) -> None:
        """Read until each reply of a present process has its end, or they are too large."""
        while self._bytes <= MAX_REPLIES_BYTES and any(
            it in present for it in self._waiting.values()
        ):
            popped = await cast(
                "Awaitable[tuple[bytes, bytes] | None]",
                self._redis.blpop(list(self._waiting), timeout=BEAT_SECONDS),
            )
            if popped is not None:
                self._add(popped[0].decode(), popped[1])

    def finish(self) -> Replies:
        """Return what has been read; a reply without its end is missing."""
        received = {name: b"".join(self._parts[name]) for name in self._complete}
        return Replies(received, sorted([*self._waiting.values(), *self._too_large]))

    def _add(self, key: str, part: bytes) -> None:
        if part == END:
            self._complete.append(self._waiting.pop(key))
            return
        self._bytes += len(part)
        parts = self._parts[self._waiting[key]]
        parts.append(part)
        if sum(map(len, parts)) > MAX_REPLY_BYTES:
            # The process is missing; what it still sends expires.
            name = self._waiting.pop(key)
            self._too_large.append(name)
            del self._parts[name]
