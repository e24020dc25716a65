"""`ConcurrencyLeases`: the leases that the requests of this process hold under concurrency limits.

A lease is taken with the check of its request (`Limits.enforce`), renewed by one task per process,
and released when the request ends. The leases of a process that has been killed expire.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from enum import Enum
from functools import partial
from itertools import count, islice
from math import inf
from secrets import token_hex

from gateway.background_tasks import run_in_background
from gateway.ratelimit.limiter import Charge, LeaseStore, LeaseUpdate, RedisCheckFailed, Verdict
from gateway.ratelimit.rule import MICROSECONDS
from gateway.request_context import RequestContext

RENEWALS = 3
"""A lease is renewed once a third of its time has passed, half of it at the latest."""

MAX_BATCH = 100
"""Leases that are renewed at once: Redis does so in about a millisecond."""

MAX_UNSENT = 10_000
"""Releases that wait for Redis; the leases beyond that expire."""

_TASK = "ratelimit.leases"


class LeaseState(Enum):
    """The states of a lease, in their order; it may leave some out.

    A new one is not known to Redis. A pending one is being checked: Redis may have granted it. A
    held one is renewed. A released one is gone, or was never granted.
    """

    NEW = "new"
    PENDING = "pending"
    HELD = "held"
    RELEASED = "released"


# In Python 3.11, each access through the class takes as long as a call.
_NEW, _PENDING, _HELD, _RELEASED = LeaseState


class ConcurrencyLease:
    """The lease that one request holds under all concurrency limits of one check."""

    # Invariants:
    # - `take` leads from NEW to PENDING, `accept` from PENDING to HELD, or to RELEASED if nothing
    #   was charged. `release` leads from any state to RELEASED, which is final: a verdict that
    #   arrives later changes nothing.
    # - Only a PENDING or HELD lease is in `ConcurrencyLeases`, and has charges: those that were
    #   checked, from HELD on those that were charged. They name this lease.
    # - A PENDING lease is not renewed, because that would take a place that Redis may refuse. Its
    #   release is sent, because Redis may grant a lease of which no verdict arrives.
    # - `seconds` and `renew_at` are `inf` in the state NEW.

    __slots__ = ("_charges", "_leases", "lease_id", "renew_at", "seconds", "state")

    def __init__(self, leases: "ConcurrencyLeases", lease_id: str) -> None:
        self.lease_id = lease_id
        self.state = _NEW
        self.seconds = inf
        self.renew_at = inf
        self._leases = leases
        self._charges: Sequence[Charge] = ()

    def __repr__(self) -> str:
        keys = ", ".join(charge.key for charge in self._charges)
        return f"<ConcurrencyLease {self.lease_id} {self.state.value}, {keys or 'no keys'}>"

    def take(self, charges: Sequence[Charge]) -> None:
        """Take those of the charges that name this lease, before they are checked."""
        self._charges = [charge for charge in charges if charge.lease_id]
        if self._charges:
            self.state = _PENDING
            self.seconds = min(it.rule.window for it in self._charges) / MICROSECONDS
            self._leases.add(self)

    def accept(self, verdict: Verdict) -> None:
        """Hold what was charged: nothing if the request was refused.

        A shadow policy is not charged what it would have refused.
        """
        if self.state is not _PENDING:
            return
        charged = verdict.select_charged(self._charges) if verdict.admitted else ()
        if charged:
            self.state, self._charges = _HELD, charged
        else:
            self._end()

    def release(self) -> None:
        """Make room for other requests; no effect on a lease that is not held."""
        updates = self.list_updates(is_release=True)
        self._end()
        if updates:
            self._leases.send_release(updates)

    def is_due(self, now: float) -> bool:
        """Whether it is to be renewed; `now` is in seconds."""
        return self.state is _HELD and self.renew_at <= now

    def list_updates(self, *, is_release: bool) -> list[LeaseUpdate]:
        """Return the updates that release it, or else renew it."""
        return [LeaseUpdate(charge, is_release) for charge in self._charges]

    def _end(self) -> None:
        self.state, self._charges = _RELEASED, ()
        self._leases.discard(self)


class ConcurrencyLeases:
    """Opens, renews and releases the leases of this process; `run` is the task that renews them."""

    # Invariants:
    # - `_taken` has the PENDING and HELD leases, from their check to the end of their requests, so
    #   that there are at most as many as requests.
    # - `_unsent` has the releases that Redis has missed, by lease and key, each with the time at
    #   which its lease has expired by itself.
    # - `_shortest` is the shortest lease time so far, in seconds: each sixth of it, `run` looks for
    #   leases to renew. Once that finds nothing taken or unsent, `run` is idle, and waits for the
    #   next lease.
    # - `_wake` is set when `run` must not wait for as long as it does.

    def __init__(self, store: LeaseStore) -> None:
        self._store = store
        self._prefix = token_hex(8)  # no two processes use the same ids
        self._numbers = count()
        self._taken: dict[str, ConcurrencyLease] = {}
        self._unsent: dict[tuple[str, str], tuple[LeaseUpdate, float]] = {}
        self._shortest = inf
        self._is_idle = True
        self._wake = asyncio.Event()
        store.call_on_connect(self.renew_all)

    def __len__(self) -> int:
        """Return the number of leases that are pending or held."""
        return len(self._taken)

    def __repr__(self) -> str:
        return f"<ConcurrencyLeases {len(self._taken)} taken, {len(self._unsent)} releases unsent>"

    def open(self, context: RequestContext) -> ConcurrencyLease:
        """Create the lease of a request, which is released when the request ends in any way."""
        lease = ConcurrencyLease(self, f"{self._prefix}-{next(self._numbers)}")
        context.call_at_end(lease.release)
        return lease

    def add(self, lease: ConcurrencyLease) -> None:
        """Keep a lease, and renew it while it is held."""
        lease.renew_at = _read_clock() + lease.seconds / RENEWALS
        self._taken[lease.lease_id] = lease
        if self._is_idle or lease.seconds < self._shortest:
            self._shortest = min(lease.seconds, self._shortest)
            self._wake.set()

    def discard(self, lease: ConcurrencyLease) -> None:
        """Keep a lease no longer, if it is kept."""
        self._taken.pop(lease.lease_id, None)

    def renew_all(self) -> None:
        """Tell Redis of all leases now: there is a new connection, and it may have lost them."""
        for lease in self._taken.values():
            lease.renew_at = 0
        self._wake.set()

    def send_release(self, updates: Sequence[LeaseUpdate]) -> None:
        """Release leases before any check that follows; what Redis misses is sent again."""
        try:
            sent = self._store.update_leases(updates)
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
        self._is_idle = not self._taken and not self._unsent
        with suppress(TimeoutError):
            async with asyncio.timeout(None if self._is_idle else self._shortest / RENEWALS / 2):
                await self._wake.wait()
        self._wake.clear()

    async def _renew_due(self) -> None:
        """Renew the leases that are due; those of a batch that fails are due at the next look."""
        now = _read_clock()
        due = [lease for lease in self._taken.values() if lease.is_due(now)]
        for first in range(0, len(due), MAX_BATCH):
            batch = [it for it in due[first : first + MAX_BATCH] if it.is_due(now)]
            updates = [it for lease in batch for it in lease.list_updates(is_release=False)]
            if await self._update(updates):
                for lease in batch:
                    lease.renew_at = now + lease.seconds / RENEWALS

    async def _send_unsent(self) -> None:
        """Release what Redis has missed, in batches; the first that fails ends the attempt."""
        now = _read_clock()
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
            sent = self._store.update_leases(updates)
            if sent is not None:
                await sent
        except RedisCheckFailed:
            return False
        return True

    def _on_sent(self, updates: Sequence[LeaseUpdate], sent: "asyncio.Future[int]") -> None:
        if sent.cancelled() or sent.exception() is not None:
            self._keep(updates)

    def _keep(self, updates: Sequence[LeaseUpdate]) -> None:
        now = _read_clock()
        for update in updates:
            charge = update.charge
            if len(self._unsent) < MAX_UNSENT:
                ends_at = now + charge.rule.window / MICROSECONDS
                self._unsent[charge.lease_id, charge.key] = update, ends_at
        if self._is_idle:
            self._wake.set()


def _read_clock() -> float:
    """Return the time in seconds on the clock of the event loop, which is never set back."""
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def renew_leases(leases: ConcurrencyLeases) -> AsyncIterator[None]:
    """Run the task that renews them for the length of the block."""
    async with run_in_background(_TASK, leases.run):
        yield
