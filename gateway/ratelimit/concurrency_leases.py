"""`ConcurrencyLeases`: the leases that the requests of this process hold under concurrency limits.

A lease is taken with the check of its request (`Limits.enforce`), renewed by one task per process,
and released when the request ends. The leases of a process that has been killed expire.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import count, islice
from math import inf
from secrets import token_hex
from time import monotonic

from gateway.background_tasks import run_in_background
from gateway.ratelimit.limiter import Charge, LeaseUpdate, RateLimiter, RedisCheckFailed, Verdict
from gateway.ratelimit.rule import MICROSECONDS, Algorithm
from gateway.request_context import RequestContext

RENEWALS = 3
"""A lease is renewed once a third of its time has passed, half of it at the latest."""

MAX_BATCH = 100
"""Leases that are renewed at once: Redis does so in about a millisecond."""

MAX_UNSENT = 10_000
"""Releases that wait for Redis; the leases beyond that expire."""

_TASK = "ratelimit.leases"


class ConcurrencyLease:
    """The leases that one request holds under the concurrency limits of one check."""

    __slots__ = ("_charges", "_is_accepted", "_leases", "id", "renew_at", "seconds")

    def __init__(self, leases: "ConcurrencyLeases", lease_id: str) -> None:
        self.id = lease_id
        self.seconds = inf
        self.renew_at = inf
        self._leases = leases
        self._charges: Sequence[Charge] = ()
        self._is_accepted = False

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
        """Hold what was charged: nothing if the request was refused.

        A shadow policy is not charged what it would have refused. From now on it is renewed: before
        the verdict, a renewal would take a place that Redis may refuse.
        """
        self._is_accepted = True
        self._charges = verdict.select_charged(self._charges)
        if not verdict.admitted or not self._charges:
            self._leases.discard(self)

    def is_due(self, now: float) -> bool:
        """Whether it is to be renewed; `now` is in seconds."""
        return self._is_accepted and self.renew_at <= now

    def release(self) -> None:
        """Make room for other requests; no effect on a lease that is not held."""
        if self._leases.discard(self):
            self._leases.send_release(self.list_updates(is_release=True))

    def list_updates(self, *, is_release: bool) -> list[LeaseUpdate]:
        """Return the updates that release it, or else renew it."""
        return [LeaseUpdate(charge, is_release) for charge in self._charges]


class ConcurrencyLeases:
    """Opens, renews and releases the leases of this process; `run` is the task that renews them."""

    # Invariants:
    # - `_held` has the leases from their check to the end of their requests, so that there are at
    #   most as many as requests. No lease is renewed after its release has been sent.
    # - `_unsent` has the releases that Redis has missed, by lease and key, each with the time at
    #   which its lease has expired by itself.
    # - `_shortest` is the shortest lease time so far, in seconds: each sixth of it, `run` looks for
    #   leases to renew. Once that finds nothing held or unsent, `run` is idle, and waits for the
    #   next lease.
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
        limiter.call_on_connect(self.renew_all)

    def __len__(self) -> int:
        """Return the number of leases held."""
        return len(self._held)

    def __repr__(self) -> str:
        return f"<ConcurrencyLeases {len(self._held)} held, {len(self._unsent)} releases unsent>"

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
        """Tell Redis of all leases now: there is a new connection, and it may have lost them."""
        for lease in self._held.values():
            lease.renew_at = 0
        self._wake.set()

    def send_release(self, updates: Sequence[LeaseUpdate]) -> None:
        """Release leases before any check that follows; what Redis misses is sent again."""
        try:
            sent = self._limiter.update_leases(updates)
        except RedisCheckFailed:
            self._keep(updates)
        else:
            if sent is not None:
                sent.add_done_callback(partial(self._on_sent, updates))

    async def run(self) -> None:
        """Renew the leases, and release what Redis has missed, until cancelled."""
        while True:
            await self._wait()
            await self._renew_due()
            await self._send_unsent()

    async def _wait(self) -> None:
        """Wait for the next look, or for the first reason for one."""
        self._is_idle = not self._held and not self._unsent
        with suppress(TimeoutError):
            async with asyncio.timeout(None if self._is_idle else self._shortest / RENEWALS / 2):
                await self._wake.wait()
        self._wake.clear()

    async def _renew_due(self) -> None:
        """Renew the leases that are due; those of a batch that fails are due at the next look."""
        now = monotonic()
        due = [lease for lease in self._held.values() if lease.is_due(now)]
        for first in range(0, len(due), MAX_BATCH):
            batch = [it for it in due[first : first + MAX_BATCH] if it.id in self._held]
            updates = [it for lease in batch for it in lease.list_updates(is_release=False)]
            if await self._update(updates):
                for lease in batch:
                    lease.renew_at = now + lease.seconds / RENEWALS

    async def _send_unsent(self) -> None:
        """Release what Redis has missed, in batches; the first that fails ends the attempt."""
        now = monotonic()
        for key, (_, ends_at) in list(self._unsent.items()):
            if ends_at <= now:
                del self._unsent[key]
        while self._unsent:
            batch = dict(islice(self._unsent.items(), MAX_BATCH))
            if not await self._update([update for update, _ in batch.values()]):
                return
            for key in batch:
                del self._unsent[key]

    async def _update(self, updates: Sequence[LeaseUpdate]) -> bool:
        """Send updates; return whether Redis has them."""
        try:
            sent = self._limiter.update_leases(updates)
            if sent is not None:
                await sent
        except RedisCheckFailed:
            return False
        return True

    def _on_sent(self, updates: Sequence[LeaseUpdate], sent: "asyncio.Future[int]") -> None:
        if sent.cancelled() or sent.exception() is not None:
            self._keep(updates)

    def _keep(self, updates: Sequence[LeaseUpdate]) -> None:
        now = monotonic()
        for update in updates:
            charge = update.charge
            if len(self._unsent) < MAX_UNSENT:
                ends_at = now + charge.rule.window / MICROSECONDS
                self._unsent[charge.lease_id, charge.key] = update, ends_at
        if self._is_idle:
            self._wake.set()


@asynccontextmanager
async def renew_leases(leases: ConcurrencyLeases) -> AsyncIterator[None]:
    """Run the task that renews them for the length of the block."""
    async with run_in_background(_TASK, leases.run):
        yield
