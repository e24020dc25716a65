"""`CountRestorer`: gives a Redis that has lost its counts what this process remembers of them."""

import asyncio
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import partial
from math import inf
from secrets import token_hex
from typing import Any

from redis.asyncio.connection import AbstractConnection

from gateway.ratelimit.algorithms.gcra import GcraState
from gateway.ratelimit.algorithms.limit_state import LimitState
from gateway.ratelimit.algorithms.sliding_window import SlidingWindowState
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.prefetch_numbers import compute_longest_window
from gateway.ratelimit.redis.connection import RedisConnection
from gateway.ratelimit.redis.failures import bound_step
from gateway.ratelimit.redis.redis_url import CONNECT_SECONDS
from gateway.ratelimit.redis.replaced_keys import ReplacedKeys
from gateway.ratelimit.redis.restore_script import RememberedCount, open_epoch, restore_counts
from gateway.ratelimit.redis.script_call import ScriptCall
from gateway.ratelimit.rule import MICROSECONDS, Algorithm

BATCH_KEYS = 100

RETURN_FACTOR = 4
"""How much longer than this process others may be away that lost their connections with it. A first
attempt to connect comes at once, so that a slow command in Redis costs little. A second one comes
after half a mean pause at least, and that of others after one and a half at most."""

Place = tuple[int, str]  # window and key of a state
Batch = Sequence[tuple[int, str, SlidingWindowState | GcraState]]


class CountRestorerState(Enum):
    """The states of a restorer. Each connection passes through them in this order."""

    IDLE = "idle"
    ADDING_LOST = "adding what Redis has lost"
    WAITING = "waiting for other processes"
    ADDING_UNSENT = "adding what was admitted without Redis"


class CountRestorer:
    """Restores counts on a new connection to Redis, before the first check on it.

    `admitted` has what this process has admitted within the windows, by Redis or without it, for a
    bounded number of keys; `unsent` has what it has admitted without Redis since the connection was
    lost. Both are counted with the share of one of `processes` processes. All processes wait for
    `wait` seconds in a new epoch; until then each decides without Redis.
    """

    # The cases, by the epoch that Redis is in (see lua/epoch.lua):
    # - The epoch in which this process has counted: only the connection was lost. It adds `unsent`.
    #   If there is any, it waits until the others, which may have lost theirs as well, have had the
    #   time to do the same: RETURN_FACTOR times as long as it was away, and at most half of `wait`,
    #   as nothing else is to be added.
    # - Another one, and this process has counted before: Redis has lost counts. The process adds
    #   all that is not older than what Redis has kept, waits until the others have had the time to
    #   do so as well, and adds `unsent` then.
    # - Another one, and this process is new: it adds `unsent`. It waits if the others do, and if it
    #   has added any, for half of `wait`, as in the first case: they may be new as well.
    #
    # Invariants:
    # - `epoch` is the last one in which all counts of this process were in Redis.
    # - `_lost` are the states that have still to be added in the epoch `_target`, the most recently
    #   used last. A state leaves it when Redis has replied. A reply that is lost makes the process
    #   add a batch twice: too strict for one window, never too lenient.
    # - A state that is added from `admitted` is removed from `unsent`, which is a part of it.
    # - A state leaves `unsent` when it is sent, because its key may be charged meanwhile. It is put
    #   back unless Redis has replied.
    # - `state` is IDLE unless `restore` runs, and also between that and the end of `finish`.

    def __init__(
        self, admitted: MemoryLimiter, unsent: MemoryLimiter, *, processes: int, wait: float
    ) -> None:
        self.epoch = ""
        self.state = CountRestorerState.IDLE
        self.beat_seconds = wait / 2
        self._admitted = admitted
        self._unsent = unsent
        self._processes = processes
        self._wait = wait
        self._target = ""
        self._lost: list[Place] = []

    def __repr__(self) -> str:
        return (
            f"<CountRestorer {self.state.value}, {len(self._lost)} lost, "
            f"{self._unsent.size} unsent>"
        )

    @property
    def is_restoring(self) -> bool:
        """Whether Redis has lost counts that are being restored."""
        return self.state is not CountRestorerState.IDLE and self._target != self.epoch

    async def restore(
        self, connection: AbstractConnection, prefix: bytes, away: float = inf
    ) -> str:
        """Restore what Redis has lost, and return the epoch that it is in.

        `away` is the time since the last connection was lost, in seconds; infinite if Redis had
        refused to count on it.

        Raises:
            RedisError, OSError, TimeoutError: Redis failed, or lost its counts again.
        """
        clock = asyncio.get_running_loop().time
        wait = round(self._wait * MICROSECONDS)
        opened = await _run(connection, prefix, open_epoch(self.epoch, token_hex(8), wait))
        epoch, kept_until, wait, now = opened[0].decode(), *opened[1:]
        until = clock() + wait / MICROSECONDS
        self.state = CountRestorerState.ADDING_LOST
        try:
            if epoch != self._target:
                self._target = epoch
                self._lost = self._admitted.list_places() if self.epoch else []
            await self._add_lost(connection, prefix, max_age=now - kept_until)
            if self.epoch in ("", self._target):
                if self._unsent.size:
                    until = max(until, clock() + min(self._wait / 2, RETURN_FACTOR * away))
                await self._add_unsent(connection, prefix, left=0)
            self.state = CountRestorerState.WAITING
            await asyncio.sleep(until - clock())
            await self._add_unsent(connection, prefix, left=BATCH_KEYS)
        finally:
            self.state = CountRestorerState.IDLE
        return self._target

    def finish(self, connection: RedisConnection) -> None:
        """Add the rest, before the first check of requests."""
        self.epoch = self._target
        batch = self._take_unsent()
        sent = connection.call(restore_counts(self.epoch, self._describe_unsent(batch)))
        sent.add_done_callback(partial(self._on_finished, batch))

    def make_beat(self) -> ScriptCall:
        """Return the call that fails if Redis is in another epoch than that of the counts."""
        return restore_counts(self.epoch)

    async def _add_lost(
        self, connection: AbstractConnection, prefix: bytes, *, max_age: int
    ) -> None:
        loop = asyncio.get_running_loop()
        while places := self._lost[-BATCH_KEYS:]:
            started, now = loop.time(), self._admitted.read_clock()
            counts: list[RememberedCount] = []
            for window, key in places:
                self._unsent.take_state(window, key)
                counts += self._describe(
                    window, key, self._admitted.find_state(window, key), now, max_age
                )
            await _run(connection, prefix, restore_counts(self._target, counts))
            del self._lost[-len(places) :]
            # At least half of the time of Redis is left for others.
            await asyncio.sleep(loop.time() - started)

    async def _add_unsent(
        self, connection: AbstractConnection, prefix: bytes, *, left: int
    ) -> None:
        """Add batches until at most `left` keys are left."""
        self.state = CountRestorerState.ADDING_UNSENT
        while self._unsent.size > left:
            batch = self._take_unsent()
            try:
                counts = self._describe_unsent(batch)
                await _run(connection, prefix, restore_counts(self._target, counts))
            except BaseException:  # cancelled, too
                self._put_back(batch)
                raise

    def _on_finished(self, batch: Batch, sent: "asyncio.Future[int]") -> None:
        """Put back what Redis may not have; the connection is closed then."""
        if sent.cancelled() or sent.exception() is not None:
            self._put_back(batch)

    def _take_unsent(self) -> Batch:
        """Remove up to a batch of states from `unsent`. Leases are renewed, and not restored."""
        batch = []
        for window, key in self._unsent.list_places()[-BATCH_KEYS:]:
            state = self._unsent.take_state(window, key)
            if isinstance(state, SlidingWindowState | GcraState):
                batch.append((window, key, state))
        return batch

    def _put_back(self, batch: Batch) -> None:
        for place in batch:
            self._unsent.put_back(*place)

    def _describe_unsent(self, batch: Batch) -> list[RememberedCount]:
        now = self._unsent.read_clock()
        return [
            count
            for window, key, state in batch
            for count in self._describe(window, key, state, now, window)
        ]

    def _describe(
        self, window: int, key: str, state: LimitState | None, now: int, max_age: int
    ) -> Iterator[RememberedCount]:
        """Describe a state, if there is something to add.

        A leaky bucket drains at the rate of the share. So those of all processes together drain at
        most at that of the whole. The window is the longest in which Redis may count, so that no
        count there is dropped too early.
        """
        if isinstance(state, SlidingWindowState):
            pairs = state.list_buckets(now, min(window, max_age))
            if pairs:
                longest = compute_longest_window(window)
                yield RememberedCount(key, Algorithm.SLIDING_WINDOW, 1, longest, pairs)
        elif isinstance(state, GcraState):
            level, quota = state.estimate_level(now)
            if level and now - state.updated_at < max_age:
                whole = (quota - 1) * self._processes + 1  # of which the share was rounded up
                yield RememberedCount(key, Algorithm.GCRA, whole, window, [(0, level)])


async def _run(connection: AbstractConnection, prefix: bytes, call: ScriptCall) -> Sequence[Any]:
    async with bound_step("while restoring counts", CONNECT_SECONDS):
        await connection.send_packed_command([call.pack(0, prefix, with_text=True)])
        reply: list[Any] = await connection.read_response()
    if isinstance(reply[0], list):
        reply[0] = ReplacedKeys(prefix).log(reply[0], call.keys)
    return reply
