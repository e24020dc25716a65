"""Notices of changes through Redis pub/sub, so that no process waits for its next poll.

Every notice may be lost: the database is polled whether or not there is a Redis.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum
from logging import WARNING, getLogger

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from gateway.background_tasks import raise_lost_cancellation
from gateway.ratelimit.live.live_limits import RESET_MESSAGE
from gateway.ratelimit.redis.commands import RedisCommandFailed, RedisCommands
from gateway.ratelimit.redis.failures import describe_failure
from gateway.telemetry.log import log_event

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 10.0
PING_SECONDS, PONG_SECONDS = 15.0, 5.0
MIN_INTERVAL_SECONDS = 0.02

log = getLogger("lockgate.ratelimit")


class SubscriptionStatus(Enum):
    """Whether this process receives notices."""

    CONNECTING = "connecting"  # no attempt has ended
    SUBSCRIBED = "subscribed"
    LOST = "lost"  # the last attempt or connection has failed


OnNotice = Callable[[bool], Awaitable[None]]


class ChangeNotices:
    """Sends notices, and calls `on_notice` for those that arrive.

    Its argument is whether counts were cleared in Redis. It is also called after each connect, as a
    notice may have been missed. Notices that arrive during a call result in one further call.
    """

    # CONNECTING -> SUBSCRIBED or LOST, and then between these two. Invariants:
    # - Each change to LOST is logged, and each change from LOST to SUBSCRIBED.
    # - Each change to SUBSCRIBED counts as a notice of a reset.
    # - `_has_reset` is True only while `_arrived` is set: both are about the notices for which
    #   `on_notice` has not been called yet.

    def __init__(self, commands: RedisCommands, subscriber: Redis, on_notice: OnNotice) -> None:
        self._commands = commands
        self._subscriber = subscriber
        self._on_notice = on_notice
        self._channel = f"{commands.prefix}lockgate:limits"
        self._arrived = asyncio.Event()
        self._has_reset = False
        self._status = SubscriptionStatus.CONNECTING

    def __repr__(self) -> str:
        pending = "none" if not self._arrived.is_set() else "reset" if self._has_reset else "change"
        return f"<ChangeNotices {self._channel} status={self._status.value} pending={pending}>"

    async def publish(self, message: bytes) -> None:
        """Notify the other processes; bounded in time, and a failure is none of the change."""
        with suppress(RedisCommandFailed):
            await self._commands.run(self._commands.redis.publish(self._channel, message))

    async def subscribe(self) -> None:
        """Receive notices until cancelled; connect again after a pause that grows and varies."""
        pause = FIRST_PAUSE_SECONDS
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            try:
                await self._receive()
            except (RedisError, OSError, TimeoutError) as error:
                self._on_failure(error)
            raise_lost_cancellation()
            if clock() - started > LONGEST_PAUSE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            # Random, so that the processes do not all connect at once when Redis is back.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def deliver(self) -> None:
        """Call `on_notice` until cancelled: at once, and then at most 50 times a second."""
        while True:
            await self._arrived.wait()
            has_reset, self._has_reset = self._has_reset, False
            self._arrived.clear()
            await self._on_notice(has_reset)
            await asyncio.sleep(MIN_INTERVAL_SECONDS)

    async def _receive(self) -> None:
        """Subscribe, and wait for messages until the connection fails.

        Raises:
            RedisError, OSError, TimeoutError: it has failed.
        """
        async with self._subscriber.pubsub() as channel:
            await channel.subscribe(self._channel)
            await _wait_for_message(channel)
            self._on_subscribed()
            while True:
                data = await _wait_for_message(channel)
                if data is not None:
                    self._notice(has_reset=data == RESET_MESSAGE)

    def _notice(self, *, has_reset: bool) -> None:
        self._has_reset = self._has_reset or has_reset
        self._arrived.set()

    def _on_failure(self, error: BaseException) -> None:
        if self._status is not SubscriptionStatus.LOST:
            log_event(log, "limits.notices_lost", WARNING, reason=describe_failure(error))
        self._status = SubscriptionStatus.LOST

    def _on_subscribed(self) -> None:
        if self._status is SubscriptionStatus.LOST:
            log_event(log, "limits.notices_restored")
        self._status = SubscriptionStatus.SUBSCRIBED
        self._notice(has_reset=True)


async def _wait_for_message(channel: PubSub) -> bytes | None:
    """Return the data of the next message; None if it is of the protocol.

    A connection without messages is tested with a PING.

    Raises:
        RedisError, OSError, TimeoutError: the connection has failed.
    """
    message = await channel.get_message(timeout=PING_SECONDS)
    if message is None:
        await channel.ping()
        message = await channel.get_message(timeout=PONG_SECONDS)
        if message is None:
            raise TimeoutError("no reply to a PING")
    raise_lost_cancellation()
    data = message["data"]
    return data if message["type"] == "message" and isinstance(data, bytes) else None
