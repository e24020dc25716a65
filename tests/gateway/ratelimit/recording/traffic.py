"""Random traffic of several processes, with changes of the policies, for recordings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from gateway.ratelimit.concurrency_leases import ConcurrencyLease
from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.limiter import (
    Charge,
    LeaseUpdate,
    Mark,
    RateLimiter,
    Settlement,
    Verdict,
)
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.policy import Policy, RateLimit
from gateway.ratelimit.policy_in_force import PoliciesInForce, PolicyInForce
from gateway.ratelimit.prefetched_quota import PrefetchedQuota, can_be_prefetched
from gateway.ratelimit.recording.recorder import Recorder
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.redis import script_call
from gateway.ratelimit.reservation import Reservation
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import ManualClock
from tests.gateway.ratelimit.redis.script_runner import ScriptRunner

TIERS = {"pro": "12/10seconds"}

VERSIONS: dict[str, list[Policy]] = {
    "exact": [
        RateLimit("exact", "3/10seconds", tiers=TIERS, tier_claim="plan"),
        RateLimit("exact", "5/10seconds"),
        RateLimit("exact", "3/20seconds"),
    ],
    "bucketed": [RateLimit("bucketed", "100/10seconds"), RateLimit("bucketed", "70/10seconds")],
    "windows": [
        RateLimit("windows", "2/second, 6/10seconds"),
        RateLimit("windows", "6/10seconds, 9/minute"),
    ],
    "steady": [
        RateLimit("steady", "7/10seconds", burst=4),
        RateLimit("steady", "30/10seconds", burst=2),
        RateLimit("steady", "7/10seconds"),
    ],
    "tokens": [
        RateLimit("tokens", "20/10seconds", cost=8),
        RateLimit("tokens", "12/10seconds", cost=8),
        RateLimit("tokens", "20/10seconds", burst=16, cost=8),
    ],
    "chats": [
        ConcurrencyLimit("chats", 2, lease_seconds=20),
        ConcurrencyLimit("chats", 4, lease_seconds=20),
        ConcurrencyLimit("chats", 1, lease_seconds=20, shadow=True),
    ],
    "shadow": [RateLimit("shadow", "2/5seconds", shadow=True), RateLimit("shadow", "2/5seconds")],
}
"""The policies in the order in which they may be changed; the first is declared."""

PREFETCHED: dict[str, list[Policy]] = {
    "prefetched": [
        RateLimit("prefetched", "40/10seconds", prefetch=20),
        RateLimit("prefetched", "25/10seconds", prefetch=5),
        RateLimit("prefetched", "40/10seconds"),
    ],
    "steadily": [
        RateLimit("steadily", "40/10seconds", burst=20, prefetch=10),
        RateLimit("steadily", "60/10seconds", burst=30, prefetch=10),
    ],
}
"""Policies of which processes take requests in advance, if they count in Redis."""

_ALL = VERSIONS | PREFETCHED

OVERRIDES = [
    KeyOverride("times", times=2.5),
    KeyOverride("block"),
    KeyOverride("allow"),
    KeyOverride("block", until=1_800_000_020.0),
]

_PARTITIONS = ["user:a", "user:b", "user:c"]


DemandOf = tuple[str, str, str | None, int]


@dataclass(frozen=True)
class Request:
    """A request that one process gets after a pause in microseconds."""

    pause: int
    process: int
    demands: tuple[DemandOf, ...]


@dataclass(frozen=True)
class Change:
    """Another version of a policy, in all processes."""

    name: str
    number: int
    overrides: tuple[tuple[str, KeyOverride], ...]


@dataclass(frozen=True)
class Reset:
    """The counts of a partition are deleted."""

    partition: str


@dataclass(frozen=True)
class Correction:
    """After a pause, one of the open requests settles its cost, and renews or ends its lease."""

    pause: int
    number: int
    cost: int
    is_renewal: bool


Step = Request | Change | Reset | Correction

_pauses = st.sampled_from([1, 1, 2, 40_000, 166_665, 166_667, 900_000, 4_999_999, 10**7, 3 * 10**7])
_names = st.sampled_from(list(VERSIONS))
_all_names = st.sampled_from(list(_ALL))
_tiers = st.sampled_from([None, "pro", "x"])
_costs = st.sampled_from([0, 1, 1, 1, 1, 2, 30])


def keep_leases_apart(demands: list[DemandOf]) -> tuple[DemandOf, ...]:
    """Let no request take a lease and reserve tokens, and a lease be one."""
    names = {name for name, *_ in demands}
    return tuple(
        (name, partition, tier, min(cost, 1) if name == "chats" else cost)
        for name, partition, tier, cost in demands
        if name != "chats" or "tokens" not in names
    )


def send_burst(name: str, partition: str, pauses: Sequence[int]) -> list[Step]:
    """Return requests of one caller under one policy, which three processes get in turn."""
    demands = ((name, partition, None, 1),)
    return [Request(pause, number % 3, demands) for number, pause in enumerate(pauses)]


_requests = st.builds(
    Request,
    _pauses,
    st.integers(0, 2),
    st.lists(
        st.tuples(
            _names, st.sampled_from(_PARTITIONS), st.sampled_from([None, "pro", "x"]), _costs
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda demand: demand[0],
    ).map(keep_leases_apart),
)
_overrides = st.lists(
    st.tuples(st.sampled_from(_PARTITIONS), st.sampled_from(OVERRIDES)),
    max_size=2,
    unique_by=lambda pair: pair[0],
).map(tuple)
_changes = st.builds(Change, _all_names, st.integers(0, 1), _overrides)
_corrections = st.builds(
    Correction, _pauses, st.integers(0, 9), st.sampled_from([0, 3, 8, 11]), st.booleans()
)
_resets = st.builds(Reset, st.sampled_from(_PARTITIONS))

request_lists = st.lists(_requests, min_size=1, max_size=60)
corrected_lists = st.lists(st.one_of(_requests, _requests, _corrections), min_size=1, max_size=60)
_bursts = st.builds(
    send_burst,
    st.sampled_from(list(PREFETCHED)),
    st.sampled_from(_PARTITIONS[:2]),
    st.lists(st.sampled_from([1, 500, 3_000, 20_000]), min_size=10, max_size=40),
)
burst_lists = st.lists(
    st.one_of(_bursts, _bursts, st.one_of(_changes, _resets, _requests).map(lambda it: [it])),
    min_size=1,
    max_size=8,
).map(lambda lists: [step for steps in lists for step in steps])
step_lists = st.lists(
    st.one_of(_requests, _requests, _requests, _corrections, _corrections, _changes, _resets),
    min_size=1,
    max_size=60,
)


def put_in_force(name: str, number: int, *overrides: tuple[str, KeyOverride]) -> PolicyInForce:
    """Return a version of a policy."""
    versions = _ALL[name]
    return PolicyInForce(versions[number % len(versions)], overrides=dict(overrides))


class ScriptLimiter(RateLimiter):
    """Runs the scripts with the bytes of the gateway on a real Redis, at the time of a clock."""

    def __init__(self, runner: ScriptRunner, clock: Callable[[], int]) -> None:
        self._runner = runner
        self._clock = clock
        self._prefetched = PrefetchedQuota(100, clock=clock)

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Decide in Redis, or spend what it has granted in advance."""
        if not can_be_prefetched(charges):
            return self._runner.decide(charges, self._clock())
        spent = self._prefetched.spend(charges)
        if spent is not None:
            return spent
        prefetch, advance = self._prefetched.begin_fetch(charges)
        asked = [replace(charge, advance=advance) for charge in charges]
        verdict = self._runner.decide(asked, self._clock())
        if prefetch is not None:
            self._prefetched.end_fetch(prefetch, verdict)
        return verdict

    def update_leases(self, updates: Sequence[LeaseUpdate]) -> None:
        """Update leases in Redis."""
        now = self._runner.call(script_call.update_leases(updates), self._clock())
        if self.count_observer is not None:
            self.count_observer.observe_leases(updates, now)

    def call_on_connect(self, callback: Callable[[], None]) -> None:
        """Call nothing: the connection stays."""

    def mark(self) -> Mark:
        """Mark nothing: Redis has a clock of its own."""
        return Mark(0, 0)

    def settle(self, settlement: Settlement) -> None:
        """Settle in Redis."""
        if settlement.differences:
            now = self._runner.call(script_call.settle(settlement), self._clock())
            if self.count_observer is not None:
                observe = self.count_observer.observe_settlement
                observe(settlement, settlement.verdict.now, now)

    def clear_local(self, prefix: str) -> None:
        """Delete the keys with this prefix."""
        self._prefetched.clear(prefix)
        for key in self._runner.client.scan_iter("*"):
            if key.decode().startswith(prefix):
                self._runner.client.delete(key)
        if self.count_observer is not None:
            self.count_observer.forget(prefix)

    async def clear_shared(self, prefix: str, keys: object = ()) -> None:
        """Delete nothing more: `clear_local` deletes it."""

    def health(self) -> dict[str, str | int]:
        """Return nothing of interest."""
        return {}


@dataclass
class Process:
    """The limits of one process, and its recorder."""

    limits: Limits
    recorder: Recorder


@dataclass
class OpenRequest:
    """A request that has not ended."""

    limiter: RateLimiter
    lease: ConcurrencyLease | None = None
    reservation: Reservation | None = None


@dataclass
class Traffic:
    """Processes that take the steps; `verdicts` has every decision in order."""

    clock: ManualClock
    processes: list[Process] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    open_requests: list[OpenRequest | None] = field(default_factory=list)

    def add_process(self, limiter: RateLimiter, *, is_shared: bool, rows: int = 200_000) -> None:
        """Add a process that decides with a limiter."""

        def seconds() -> float:
            return self.clock.now / MICROSECONDS

        recorder = Recorder(
            f"process {len(self.processes)}",
            is_shared=is_shared,
            rows=rows,
            clock=seconds,
            wall=seconds,
        )
        limiter.set_observer(recorder)
        policies = PoliciesInForce([put_in_force(name, 0) for name in _ALL])
        self.processes.append(Process(Limits(limiter, policies, recorder, seconds), recorder))

    async def run(self, steps: Sequence[Step]) -> None:
        """Take the steps one after the other."""
        for step in steps:
            if isinstance(step, Request):
                self.clock.now += step.pause
                await self._send(step)
            elif isinstance(step, Correction):
                self.clock.now += step.pause
                await self._correct(step)
            elif isinstance(step, Change):
                self.change(step.name, put_in_force(step.name, step.number, *step.overrides))
            else:
                self._reset(f"lockgate:{{{step.partition}}}")

    async def _send(self, step: Request) -> None:
        """Send a request, which reserves tokens or holds a lease if it asks for them."""
        limits = self.processes[step.process % len(self.processes)].limits
        names = {demand[0] for demand in step.demands}
        demands = [
            Demand(_ALL[name][0], partition, tier, cost)
            for name, partition, tier, cost in step.demands
        ]
        opened = OpenRequest(limits.limiter)
        if "tokens" in names:
            opened.reservation = await limits.reserve(demands)
            verdict = opened.reservation.verdict
        elif "chats" in names:
            opened.lease = ConcurrencyLease(limits.leases, f"lease {len(self.open_requests)}")
            verdict = await limits.enforce(demands, opened.lease)
        else:
            verdict = await limits.enforce(demands)
        self.verdicts.append(verdict)
        self.open_requests.append(opened if verdict.admitted else None)

    async def _correct(self, step: Correction) -> None:
        """Settle, renew or end one of the last requests, unless it was refused."""
        number = max(0, len(self.open_requests) - 1 - step.number)
        opened = self.open_requests[number] if self.open_requests else None
        if opened is None:
            return
        if opened.reservation is not None:
            await opened.reservation.settle(step.cost)
            self.open_requests[number] = None
        elif opened.lease is not None and step.is_renewal:
            opened.limiter.update_leases(opened.lease.list_updates(is_release=False))
        elif opened.lease is not None:
            opened.lease.release()
            self.open_requests[number] = None

    def change(self, name: str, in_force: PolicyInForce) -> None:
        """Put a policy in force in all processes."""
        for process in self.processes:
            process.limits.policies.replace(name, in_force)

    def snapshots(self) -> list[Recording]:
        """Return the recordings, long after the last decision."""
        self.clock.advance(60)
        return [process.recorder.snapshot() for process in self.processes]

    def _reset(self, prefix: str) -> None:
        """Delete counts; no process has a check on its way that long before or after."""
        self.clock.advance(2)
        for process in self.processes:
            process.limits.limiter.clear_local(prefix)


def record_in_memory(rows: int = 200_000) -> Traffic:
    """Return the traffic of three processes that count alone."""
    traffic = Traffic(ManualClock())
    for _ in range(3):
        traffic.add_process(MemoryLimiter(clock=traffic.clock), is_shared=False, rows=rows)
    return traffic


def record_in_redis(runner: ScriptRunner, rows: int = 200_000) -> Traffic:
    """Return the traffic of three processes that count together in an empty Redis."""
    runner.client.flushdb()
    traffic = Traffic(ManualClock())
    for _ in range(3):
        traffic.add_process(ScriptLimiter(runner, traffic.clock), is_shared=True, rows=rows)
    return traffic
