"""`Usage`: how many requests each policy admits and refuses now, in one process or in all.

A `UsageReport` is what a process tells about itself: plain values, which go through JSON.
`merge_reports` adds those of several processes.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.ratelimit.bounds import USAGE_SECONDS
from gateway.ratelimit.limiter import Verdict
from gateway.ratelimit.limits import Demand
from gateway.ratelimit.usage.frequent_keys import FrequentKeys
from gateway.ratelimit.usage.policy_usage import PolicyUsage

TOP_KEYS = 100


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """How many requests of one partition a policy admitted and refused; both are lower bounds."""

    key: str
    allowed: int
    refused: int


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The counts of one policy by the second, the oldest first.

    `begin` is the first second, since the epoch. A request that another policy refused is in no
    list, because this policy was not charged. One that only a shadow would have refused is in
    `shadow_refused` and in `allowed`. `top_keys` are of the minutes that these seconds touch.
    """

    begin: int
    allowed: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    shadow_refused: list[int] = field(default_factory=list)
    top_keys: list[KeyUsage] = field(default_factory=list)


class Usage:
    """The decisions of this process. `clock` is monotonic, in seconds; `wall` is the epoch's."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._policies: dict[str, PolicyUsage] = {}

    @property
    def policies(self) -> list[str]:
        """The names of the policies that have decided anything."""
        return list(self._policies)

    def count(self, demands: Sequence[Demand], verdict: Verdict, second: int) -> None:
        """Count a decision for each of its policies, in a second of the clock."""
        index = second % USAGE_SECONDS
        admitted, policies = verdict.admitted, self._policies
        for demand in demands:
            name = demand.policy.name
            usage = policies.get(name)
            if usage is None or usage.latest != second:
                usage = self.open_second(name, second)
            if admitted:
                usage.allowed[index] += 1
                usage.keys.allowed.add(demand.partition)
            elif name in verdict.refused_by:
                usage.refused[index] += 1
                usage.keys.refused.add(demand.partition)
        for policy in verdict.shadow_refused_by:
            self.open_second(policy, second).shadow_refused[index] += 1

    def open_second(self, policy: str, second: int) -> PolicyUsage:
        """Return the counts of a policy, in which `second` of the clock is the latest."""
        usage = self._policies.get(policy)
        if usage is None:
            usage = self._policies[policy] = PolicyUsage(second)
        elif usage.latest != second:
            usage.advance(second)
        return usage

    def count_recent(self, policy: str, seconds: int) -> tuple[int, int, int]:
        """Return what was allowed, refused and shadow-refused in the last complete seconds."""
        if policy not in self._policies:
            return 0, 0, 0
        usage = self.open_second(policy, int(self._clock()))
        allowed, refused, shadow_refused = (
            sum(usage.list_counts(ring, seconds + 1)[:-1])
            for ring in (usage.allowed, usage.refused, usage.shadow_refused)
        )
        return allowed, refused, shadow_refused

    def report(self, policy: str, seconds: int = USAGE_SECONDS) -> UsageReport:
        """Return the usage of a policy in the last `USAGE_SECONDS` at most; 0 if it has none."""
        seconds = min(max(seconds, 1), USAGE_SECONDS)
        now = int(self._clock())
        begin = round(self._wall() - self._clock()) + now - seconds + 1
        if policy not in self._policies:
            return UsageReport(begin, [0] * seconds, [0] * seconds, [0] * seconds)
        usage = self.open_second(policy, now)
        allowed, refused = FrequentKeys(), FrequentKeys()
        for it in usage.list_slices(seconds):
            allowed.add_all(it.allowed.counts)
            refused.add_all(it.refused.counts)
        return UsageReport(
            begin,
            usage.list_counts(usage.allowed, seconds),
            usage.list_counts(usage.refused, seconds),
            usage.list_counts(usage.shadow_refused, seconds),
            _list_top_keys(allowed.counts, refused.counts),
        )


def merge_reports(reports: Iterable[UsageReport], begin: int, seconds: int) -> UsageReport:
    """Add the reports of several processes, for `seconds` seconds from `begin` on.

    Counts outside of these seconds are left out; a process whose report does not cover a second
    counts as idle in it.
    """
    merged = UsageReport(begin, [0] * seconds, [0] * seconds, [0] * seconds)
    keys = Counter[str](), Counter[str]()
    for report in reports:
        offset = report.begin - begin
        _add(merged.allowed, report.allowed, offset)
        _add(merged.refused, report.refused, offset)
        _add(merged.shadow_refused, report.shadow_refused, offset)
        for key in report.top_keys:
            keys[0][key.key] += key.allowed
            keys[1][key.key] += key.refused
    return replace(merged, top_keys=_list_top_keys(*keys))


def _add(counts: list[int], others: list[int], offset: int) -> None:
    for index, count in enumerate(others, offset):
        if 0 <= index < len(counts):
            counts[index] += count


def _list_top_keys(allowed: Mapping[str, int], refused: Mapping[str, int]) -> list[KeyUsage]:
    """Return the keys with the most requests, the busiest first."""
    total = Counter(allowed)
    total.update(refused)
    return [
        KeyUsage(key, allowed.get(key, 0), refused.get(key, 0))
        for key, _ in total.most_common(TOP_KEYS)
    ]
