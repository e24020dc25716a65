"""`ConcurrencyLeases`: the leases that the requests of this process hold under concurrency limits.

A lease is taken with the check of its request (`Limits.enforce`), renewed by one task per process,
and released when the request ends. The leases of a process that has been killed expire.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import count, islice
from math import inf
from secrets import token_hex
from time import monotonic

from gateway.background_tasks import keep_running
from gateway.ratelimit.limiter import Charge, LeaseUpdate, RateLimiter, Verdict
from gateway.ratelimit.redis.connection import RedisCheckFailed
from gateway.ratelimit.rule import MICROSECONDS, Algorithm
from gateway.request_context import RequestContext

RENEWALS = 3
"""A lease is renewed once a third of its time has passed, half of it at the latest."""

RETRY_SECONDS = 0.5
MAX_BATCH = 100
"""Updates that are sent at once: Redis runs them in less than a millisecond."""

_TASK = "ratelimit.leases"

MAX_UNSENT = 10_000
"""Updates that wait for Redis; leases beyond that are left to expire."""


class ConcurrencyLease:
    """What one request holds under the concurrency limits of one check, until it ends."""

    __slots__ = ("_charges", "_leases", "id", "renew_at", "seconds")

    def __init__(self, leases: "ConcurrencyLeases", lease_id: str) -> None:
        self.id = lease_id
        self.seconds = inf
        self.renew_at = inf
        self._leases = leases
        self._charges: Sequence[Charge] = ()

    def __repr__(self) -> str:
        keys = ", ".join(charge.key for charge in self._charges)
        return f"<ConcurrencyLease {self.id} of {keys or 'none'}>"

    def take(self, charges: Iterable[Charge]) -> None:
        """Hold those of the charges that are concurrency limits, from before their check on.

        Redis may grant a lease of which no verdict arrives; so that one is released, too.
        """
        held = [it for it in charges if it.rule.algorithm is Algorithm.CONCURRENCY and it.cost]
        if held:
            for charge in held:
                charge.lease_id = self.id
            self._charges = held
            self.seconds = min(charge.rule.window for charge in held) / MICROSECONDS
            self._leases.add(self)

    def accept(self, verdict: Verdict) -> None:
        """Hold nothing if the request was refused; tell Redis later if it has not decided."""
        if not verdict.admitted:
            self._leases.discard(self)
        elif verdict.degraded:
            self._leases.resend(self.list_updates())

    def release(self) -> None:
        """Make room for other requests; no effect on a lease that is not held."""
        if self._leases.discard(self):
            self._leases.send(self.list_updates(is_release=True))

    def list_updates(self, *, is_release: bool = False) -> list[LeaseUpdate]:
        """Return the updates that renew it, or release it."""
        return [LeaseUpdate(charge, is_release) for charge in self._charges]


class ConcurrencyLeases:
    """Opens, renews and releases the leases of this process; `run` is the task that renews them."""

    # Invariants:
    # - `_held` has the leases from their check to the end of their requests, so that there are at
    #   most as many as requests.
    # - An update that Redis has missed waits in `_unsent`, by key and lease, until `run` has sent
    #   it again, or until its lease has expired by itself. A release replaces a renewal there. A
    #   renewal is not sent once its lease is no longer in `_held`.
    # - `_shortest` is the shortest lease time so far, in seconds: each sixth of it, `run` looks for
    #   leases to renew. Once that finds none held, it is idle, and waits for the next one.
    # - `_wake` is set when `run` must not wait for as long as it does.

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._prefix = token_hex(8)  # no two processes use the same ids
        self._numbers = count()
        self._held: dict[str, ConcurrencyLease] = {}
        self._unsent: dict[tuple[str, str], tuple[LeaseUpdate, float]] = {}
        self._shortest = inf
        self._is_idle = True
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of leases held."""
        return len(self._held)

    def __repr__(self) -> str:
        return f"<ConcurrencyLeases {len(self._held)} held, {len(self._unsent)} updates unsent>"

    def open(self, context: RequestContext) -> ConcurrencyLease:
        """Create the lease of a request, which is released when the request ends in any way."""
        lease = ConcurrencyLease(self, f"{self._prefix}-{next(self._numbers)}")
        context.call_at_end(lease.release)
        return lease

    def add(self, lease: ConcurrencyLease) -> None:
        """Hold a lease, and renew it from now on."""
        lease.renew_at = monotonic() + lease.seconds / RENEWALS
        self._held[lease.id] = lease
        if self._is_idle or lease.seconds < self._shortest:
            self._shortest = min(lease.seconds, self._shortest)
            self._wake.set()

    def discard(self, lease: ConcurrencyLease) -> bool:
        """Hold a lease no longer; return whether it was held."""
        return self._held.pop(lease.id, None) is not None

    def renew_all(self) -> None:
        """Renew all leases soon: Redis may have lost them."""
        for lease in self._held.values():
            lease.renew_at = 0
        self._wake.set()

    def send(self, updates: Sequence[LeaseUpdate]) -> "asyncio.Future[int] | None":
        """Send updates, before any check that follows. What Redis misses is sent again later."""
        try:
            sent = self._limiter.update_leases(updates)
        except RedisCheckFailed:
            self.resend(updates)
            return None
        if sent is not None:
            sent.add_done_callback(partial(self._on_sent, updates))
        return sent

    def resend(self, updates: Iterable[LeaseUpdate]) -> None:
        """Send updates as soon as Redis works, unless their leases have expired by then."""
        if not self._unsent:
            self._wake.set()
        now = monotonic()
        for update in updates:
            charge = update.charge
            if len(self._unsent) < MAX_UNSENT:
                ends_at = now + charge.rule.window / MICROSECONDS
                self._unsent[charge.key, charge.lease_id] = update, ends_at

    async def run(self) -> None:
        """Renew the leases, and send what Redis has missed, until cancelled."""
        while True:
            await self._wait()
            await self._renew_due()
            await self._send_unsent()

    async def _wait(self) -> None:
        """Wait for the next renewal or attempt, or for the first reason for one."""
        self._is_idle = not self._held and not self._unsent
        seconds = None if self._is_idle else self._shortest / (2 * RENEWALS)
        if self._unsent:
            seconds = RETRY_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _renew_due(self) -> None:
        now = monotonic()
        due = [lease for lease in self._held.values() if lease.renew_at <= now]
        for first in range(0, len(due), MAX_BATCH):
            batch = [it for it in due[first : first + MAX_BATCH] if it.id in self._held]
            for lease in batch:
                lease.renew_at = now + lease.seconds / RENEWALS
            with suppress(RedisCheckFailed):  # `send` takes care of them
                await _wait_for(self.send([it for lease in batch for it in lease.list_updates()]))

    async def _send_unsent(self) -> None:
        """Send what Redis has missed in batches; the first that fails ends the attempt."""
        while batch := self._select_unsent():
            try:
                await _wait_for(self._limiter.update_leases(batch))
            except RedisCheckFailed:
                return
            for update in batch:
                key = update.charge.key, update.charge.lease_id
                if self._unsent[key][0] is update:  # no release has replaced it meanwhile
                    del self._unsent[key]

    def _select_unsent(self) -> list[LeaseUpdate]:
        """Select the next batch; drop what is no longer needed."""
        now = monotonic()
        for key, (update, ends_at) in list(self._unsent.items()):
            if ends_at <= now or not (update.is_release or update.charge.lease_id in self._held):
                del self._unsent[key]
        return [update for update, _ in islice(self._unsent.values(), MAX_BATCH)]

    def _on_sent(self, updates: Sequence[LeaseUpdate], sent: "asyncio.Future[int]") -> None:
        if sent.cancelled() or sent.exception() is not None:
            self.resend(updates)


@asynccontextmanager
async def renew_leases(leases: ConcurrencyLeases) -> AsyncIterator[None]:
    """Run the task that renews them for the length of the block."""
    task = asyncio.create_task(keep_running(_TASK, leases.run), name=_TASK)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _wait_for(sent: Awaitable[object] | None) -> None:
    if sent is not None:
        await sent
