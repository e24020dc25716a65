"""Traffic that follows the limits, computed from the time: what the console shows in tests.

Each second has the same requests whenever it is read.
"""

import math
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.ops.interfaces import CallerKey, CallerLookup, LimitStore, Traffic
from gateway.ops.models import (
    AffectedKey,
    CallerStanding,
    Covers,
    Limit,
    LimitUsage,
    Process,
    Proposal,
    RuleStanding,
    SimulatedEffect,
    SimulationResult,
    TopKey,
    UsageRates,
)
from gateway.ops.ops_errors import InvalidChange, InvalidField, SimulationRefused
from gateway.settings.rate import Rate
from gateway.storage.journal import Author

RECORDED_SECONDS = 600


class Decided(NamedTuple):
    """The requests of one key in one second."""

    allowed: int
    refused: int
    shadow_refused: int


class _Terms(NamedTuple):
    """The terms of a policy from a time on: requests per second of one key."""

    since: float
    per_second: float
    shadow: bool


@lru_cache(maxsize=200_000)
def count_requests(policy: str, caller: str, second: int) -> int:
    """Return how many requests a caller sends in a second."""
    seeded = random.Random(f"{policy} {caller} {second}")
    weight = 1.2 + 2.2 * random.Random(f"{policy} {caller}").random() ** 3
    wave = 1 + 0.45 * math.sin(second / 47 + len(policy)) + 0.2 * math.sin(second / 11)
    return round(max(0.0, weight * wave + seeded.gauss(0, 0.35)))


class LivingTraffic(Traffic):
    """The traffic of twelve callers of each policy."""

    def __init__(self, limits: LimitStore, callers: Sequence[str]) -> None:
        self._limits = limits
        self.callers = {f"user:{random.Random(it).randbytes(8).hex()}": it for it in callers}
        self._terms: dict[str, list[_Terms]] = {}

    async def read_usage(self, policy: str, seconds: int) -> LimitUsage:
        end = int(time.time())
        terms = self._follow(policy)
        by_key = {
            key: [
                _decide(count_requests(policy, caller, it), _find(terms, it))
                for it in range(end - seconds, end)
            ]
            for key, caller in self.callers.items()
        }
        columns = [
            [sum(row) for row in zip(*it, strict=True)] for it in zip(*by_key.values(), strict=True)
        ]
        top = [
            TopKey(
                key=key,
                caller=self.callers[key],
                allowed=sum(it.allowed for it in decided),
                refused=sum(it.refused for it in decided),
            )
            for key, decided in by_key.items()
        ]
        top.sort(key=lambda it: it.allowed + it.refused, reverse=True)
        return LimitUsage(
            policy=policy,
            from_=end - seconds,
            step=1,
            allowed=[it[0] for it in columns],
            refused=[it[1] for it in columns],
            shadow_refused=[it[2] for it in columns],
            top_keys=top[:10],
        )

    async def read_rates(self) -> dict[str, UsageRates]:
        usages = [await self.read_usage(it.name, 10) for it in self._limits.list()]
        return {
            it.policy: UsageRates(
                allowed=sum(it.allowed) / 10,
                refused=sum(it.refused) / 10,
                shadow_refused=sum(it.shadow_refused) / 10,
            )
            for it in usages
        }

    def list_processes(self) -> Sequence[Process]:
        started = datetime.now(UTC) - timedelta(hours=3)
        return [
            Process(name=f"gateway-{it}", started_at=started, heard_seconds_ago=0.2 * it)
            for it in (1, 2)
        ]

    async def simulate(self, policy: str, proposal: Proposal) -> SimulationResult:
        limit = self._limits.get(policy)
        if limit.kind == "concurrency":
            raise SimulationRefused("No request of this policy is recorded yet.")
        proposed = _read_terms(limit, proposal.model_dump(exclude_unset=True))
        end = int(time.time())
        keys = [
            self._compare(policy, key, _read_terms(limit, {}), proposed, end)
            for key in self.callers
        ]
        total = [sum(it[1][column] for it in keys) for column in range(3)]
        effects = [it[0] for it in keys]
        effects.sort(key=lambda it: it.newly_refused + it.newly_admitted, reverse=True)
        return SimulationResult(
            policy=policy,
            reproduced=True,
            covers=self.describe_recording(),
            accuracy="Exact for the requests that were recorded.",
            restarts_counts=_count_windows(proposal.rate) != _count_windows(limit.in_force.rate),
            effect=SimulatedEffect(
                requests=total[0],
                newly_refused=sum(it.newly_refused for it in effects),
                newly_admitted=sum(it.newly_admitted for it in effects),
                refused_before=total[1],
                refused_after=total[2],
            ),
            keys=effects,
        )

    def _compare(
        self, policy: str, key: str, before: _Terms, after: _Terms, end: int
    ) -> tuple[AffectedKey, tuple[int, int, int]]:
        """Return the effect on a key; and its requests, and those refused before and after."""
        caller = self.callers[key]
        counts = [count_requests(policy, caller, end - it) for it in range(RECORDED_SECONDS)]
        refused = [[_decide(it, terms).refused for it in counts] for terms in (before, after)]
        changes = [new - old for old, new in zip(*refused, strict=True)]
        effect = AffectedKey(
            key=key,
            caller=caller,
            newly_refused=sum(it for it in changes if it > 0),
            newly_admitted=-sum(it for it in changes if it < 0),
            requests=sum(counts),
        )
        return effect, (sum(counts), sum(refused[0]), sum(refused[1]))

    async def export(self) -> bytes:
        return b""

    def describe_recording(self) -> Covers:
        now = datetime.now(UTC)
        return Covers(
            from_=now - timedelta(seconds=RECORDED_SECONDS),
            to=now,
            seconds=RECORDED_SECONDS,
            requests=48_210,
            keys=len(self.callers),
            processes=["gateway-1", "gateway-2"],
            left_out={"decided without Redis": 12},
        )

    def _follow(self, policy: str) -> list[_Terms]:
        """Return the terms of a policy in the course of time, with those in force now."""
        terms = self._terms.setdefault(policy, [])
        now = _read_terms(self._limits.get(policy), {})
        if not terms or terms[-1][1:] != now[1:]:
            terms.append(now._replace(since=time.time() if terms else 0))
        return terms


def _find(terms: Sequence[_Terms], second: int) -> _Terms:
    return next(it for it in reversed(terms) if it.since <= second or it is terms[0])


def _read_terms(limit: Limit, proposal: dict[str, Any]) -> _Terms:
    values = limit.in_force
    try:
        rates = [
            Rate.parse(it) for it in (proposal.get("rate") or values.rate or "").split(",") if it
        ]
    except ValueError as error:
        raise InvalidChange([InvalidField("rate", str(error))]) from error
    per_second = min((it.quota / it.window for it in rates), default=2.0)
    return _Terms(0, per_second, proposal.get("shadow", values.shadow))


def _count_windows(rate: str | None) -> int:
    return (rate or "").count(",")


def _decide(requests: int, terms: _Terms) -> Decided:
    above = max(0, requests - round(terms.per_second * 1.6))
    if terms.shadow:
        return Decided(requests, 0, above)
    return Decided(requests - above, above, 0)


class LivingCallers(CallerLookup):
    """A caller is limited if it sent more than it may in the last second."""

    def __init__(self, limits: LimitStore, traffic: LivingTraffic) -> None:
        self._limits = limits
        self._traffic = traffic
        self._is_reset = set[str]()

    async def look_up(self, caller: CallerKey) -> CallerStanding:
        limit = self._limits.get(caller.policy)
        per, _, name = caller.key.partition(":")
        if not name:
            raise InvalidChange([InvalidField("key", f"it must be such as {per or 'user'}:42")])
        is_limited = caller.key not in self._is_reset
        remaining = 0 if is_limited else 120
        rule = RuleStanding(
            label=limit.name,
            quota=120,
            window_seconds=60,
            remaining=remaining,
            reset_seconds=38,
            retry_after_seconds=14 if is_limited else 0,
        )
        override = next((it for it in limit.overrides if it.key == caller.key), None)
        why = (
            "It has sent 120 requests in the last 60 seconds; the oldest of them counts for 14 more"
            " seconds."
            if is_limited
            else "120 of 120 requests are left."
        )
        return CallerStanding(
            key=caller.key,
            caller=self._traffic.callers.get(caller.key),
            rules=[rule],
            override=override,
            limited=is_limited,
            why=why,
        )

    async def reset(self, caller: CallerKey, author: Author) -> None:
        self._is_reset.add(caller.key)
