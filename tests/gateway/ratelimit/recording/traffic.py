"""Random traffic of several processes, with changes of the policies, for recordings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import redis
from hypothesis import strategies as st
from redis.exceptions import NoScriptError

from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.memory import MemoryLimiter
from gateway.ratelimit.policy import Policy, RateLimit
from gateway.ratelimit.policy_in_force import PoliciesInForce, PolicyInForce
from gateway.ratelimit.recording.recorder import Recorder
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.redis.script import pack_eval, pack_evalsha, parse_reply
from gateway.ratelimit.rule import MICROSECONDS
from gateway.settings.rate import Rate
from tests.gateway.ratelimit.charges import ManualClock

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
    "shadow": [RateLimit("shadow", "2/5seconds", shadow=True), RateLimit("shadow", "2/5seconds")],
}
"""The policies in the order in which they may be changed; the first is declared."""

OVERRIDES = [
    KeyOverride("rate", rates=(Rate(9, 10),)),
    KeyOverride("times", times=2.5),
    KeyOverride("block"),
    KeyOverride("allow"),
    KeyOverride("block", until=1_800_000_020.0),
]

_PARTITIONS = ["user:a", "user:b", "user:c"]


@dataclass(frozen=True)
class Request:
    """A request that one process gets after a pause in microseconds."""

    pause: int
    process: int
    demands: tuple[tuple[str, str, str | None, int], ...]


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


Step = Request | Change | Reset

_pauses = st.sampled_from([1, 1, 2, 40_000, 166_665, 166_667, 900_000, 4_999_999, 10**7, 3 * 10**7])
_names = st.sampled_from(list(VERSIONS))
_tiers = st.sampled_from([None, "pro", "x"])
_costs = st.sampled_from([0, 1, 1, 1, 1, 2, 30])
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
    ).map(tuple),
)
_overrides = st.lists(
    st.tuples(st.sampled_from(_PARTITIONS), st.sampled_from(OVERRIDES)),
    max_size=2,
    unique_by=lambda pair: pair[0],
).map(tuple)
_changes = st.builds(Change, _names, st.integers(0, 1), _overrides)
_resets = st.builds(Reset, st.sampled_from(_PARTITIONS))

request_lists = st.lists(_requests, min_size=1, max_size=60)
step_lists = st.lists(
    st.one_of(_requests, _requests, _requests, _requests, _changes, _resets),
    min_size=1,
    max_size=60,
)


def put_in_force(name: str, number: int, *overrides: tuple[str, KeyOverride]) -> PolicyInForce:
    """Return a version of a policy."""
    versions = VERSIONS[name]
    return PolicyInForce(versions[number % len(versions)], overrides=dict(overrides))


class ScriptLimiter(RateLimiter):
    """Runs the script with the bytes of the gateway on a real Redis, at the time of a clock."""

    def __init__(self, client: redis.Redis, clock: Callable[[], int]) -> None:
        self._client = client
        self._clock = clock

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Decide in Redis."""
        try:
            reply = self._send(pack_evalsha(charges, self._clock()))
        except NoScriptError:
            reply = self._send(pack_eval(charges, self._clock()))
        return parse_reply(charges, reply)

    def clear(self, prefix: str) -> None:
        """Delete the keys with this prefix."""
        for key in self._client.scan_iter("*"):
            if key.decode().startswith(prefix):
                self._client.delete(key)

    def health(self) -> dict[str, str | int]:
        """Return nothing of interest."""
        return {}

    def _send(self, command: bytes) -> list[int]:
        connection = self._client.connection_pool.get_connection()
        try:
            connection.send_packed_command([command])  # type: ignore[no-untyped-call]
            reply: list[int] = connection.read_response()
            return reply
        finally:
            self._client.connection_pool.release(connection)


@dataclass
class Process:
    """The limits of one process, and its recorder."""

    limits: Limits
    recorder: Recorder


@dataclass
class Traffic:
    """Processes that take the steps; `verdicts` has every decision in order."""

    clock: ManualClock
    processes: list[Process] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

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
        policies = PoliciesInForce([put_in_force(name, 0) for name in VERSIONS])
        self.processes.append(Process(Limits(limiter, policies, recorder, seconds), recorder))

    async def run(self, steps: Sequence[Step]) -> None:
        """Take the steps one after the other."""
        for step in steps:
            if isinstance(step, Request):
                self.clock.now += step.pause
                process = self.processes[step.process % len(self.processes)]
                demands = [
                    Demand(VERSIONS[name][0], partition, tier, cost)
                    for name, partition, tier, cost in step.demands
                ]
                self.verdicts.append(await process.limits.enforce(demands))
            elif isinstance(step, Change):
                self.change(step.name, put_in_force(step.name, step.number, *step.overrides))
            else:
                self._reset(f"lockgate:{{{step.partition}}}")

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
            process.limits.limiter.clear(prefix)
            process.recorder.forget(prefix)


def record_in_memory(rows: int = 200_000) -> Traffic:
    """Return the traffic of three processes that count alone."""
    traffic = Traffic(ManualClock())
    for _ in range(3):
        traffic.add_process(MemoryLimiter(clock=traffic.clock), is_shared=False, rows=rows)
    return traffic


def record_in_redis(client: redis.Redis, rows: int = 200_000) -> Traffic:
    """Return the traffic of three processes that count together in an empty Redis."""
    client.flushdb()
    traffic = Traffic(ManualClock())
    for _ in range(3):
        traffic.add_process(ScriptLimiter(client, traffic.clock), is_shared=True, rows=rows)
    return traffic
