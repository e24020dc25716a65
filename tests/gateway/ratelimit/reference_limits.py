"""A plain model of policies in full, and schedules of requests for it and for `Limits`.

The model keeps every admitted request and rounds nothing. It reads the declarations itself: none of
the code under test finds its numbers.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import NamedTuple

from hypothesis import strategies as st

from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.rule import MICROSECONDS
from gateway.settings.rate import Rate

PARTITIONS = ("user:a", "user:b", "user:c")
TIERS = (None, "free", "pro", "made up")
PAUSES = (0, 0, 0, 0, 1, 33_333, 166_667, 500_000, 1_999_999, 2_000_000, 10_000_000)


class Window(NamedTuple):
    """One window of a policy as the model counts it; without a burst it slides."""

    key: tuple[str, str, int, bool]
    quota: int
    burst: int | None
    is_shadow: bool


@dataclass(frozen=True)
class Request:
    """A request `pause` microseconds after the one before it, under the policies of these names."""

    pause: int
    partition: str
    tier: str | None
    costs: dict[str, int]


class ReferenceLimits:
    """Decides requests by a list of all that it has admitted."""

    def __init__(self, in_force: Sequence[PolicyInForce]) -> None:
        self._in_force = {it.policy.name: it for it in in_force}
        self._admitted = defaultdict[tuple[str, str, int, bool], list[tuple[int, int]]](list)
        self._levels = dict[tuple[str, str, int, bool], tuple[int, Fraction, int]]()

    def replace(self, in_force: PolicyInForce) -> None:
        """Put other values in force; what was admitted stays."""
        self._in_force[in_force.policy.name] = in_force

    def admits(self, request: Request, now: int) -> bool:
        """Decide a request, and charge it to all windows or to none."""
        found = [
            (window, cost)
            for name, cost in request.costs.items()
            for window in self.list_windows(name, request.partition, request.tier, now)
        ]
        if self._is_blocked(request, now):
            return False
        fitting = [
            (window, cost)
            for window, cost in found
            if self.count(window, now) + cost <= (window.burst or window.quota)
        ]
        if any(it not in fitting for it in found if not it[0].is_shadow):
            return False
        refusing = {window.key[0] for window, cost in found if (window, cost) not in fitting}
        for window, cost in fitting:
            if window.key[0] in refusing:
                continue  # a shadow policy is charged for all of its windows or for none
            if cost:
                self._levels[window.key] = (now, self.count(window, now) + cost, window.quota)
                self._admitted[window.key].append((now, cost))
        return True

    def count(self, window: Window, now: int) -> Fraction:
        """Return what a window holds: its requests, or the level of the leaky bucket."""
        seconds = window.key[2]
        if window.burst is None:
            start = now - seconds * MICROSECONDS
            return Fraction(sum(cost for at, cost in self._admitted[window.key] if at > start))
        charged_at, level, quota = self._levels.get(window.key, (0, Fraction(0), 0))
        # A lowered quota drains from the next charge on.
        drained = Fraction((now - charged_at) * max(quota, window.quota), seconds * MICROSECONDS)
        return max(Fraction(0), level - drained)

    def list_windows(self, name: str, partition: str, tier: str | None, now: int) -> list[Window]:
        """List the windows that count a key; none if its override allows or blocks everything."""
        in_force = self._in_force[name]
        policy, override = in_force.policy, self._find_override(name, partition, now)
        assert isinstance(policy, RateLimit)
        rates: Sequence[Rate] = policy.tiers.get(tier or "", policy.rates)
        times = Fraction(1)
        if override is not None and override.kind in {"allow", "block"}:
            return []  # a block of a shadow policy refuses nothing, and nothing is counted
        if override is not None and override.rates is not None:
            rates = sorted(override.rates, key=lambda rate: rate.window)
        elif override is not None and override.times is not None:
            times = Fraction(override.times)
        windows = []
        for index, rate in enumerate(rates):
            burst = policy.burst if policy.burst and not index else None
            windows.append(
                Window(
                    (name, partition, rate.window, burst is not None),
                    max(1, int(rate.quota * times)),
                    None if burst is None else max(1, int(burst * times)),
                    policy.shadow,
                )
            )
        return windows

    def _find_override(self, name: str, partition: str, now: int) -> KeyOverride | None:
        override = self._in_force[name].overrides.get(partition)
        has_ended = override is not None and (override.until or 1e18) * MICROSECONDS <= now
        return None if has_ended else override

    def _is_blocked(self, request: Request, now: int) -> bool:
        found = (
            (name, self._find_override(name, request.partition, now)) for name in request.costs
        )
        return any(
            override is not None
            and override.kind == "block"
            and not self._in_force[name].policy.shadow
            for name, override in found
        )


@dataclass(frozen=True)
class Scale:
    """Makes policies and schedules whose windows have 2, 10 and 60 times `unit` seconds.

    Keys in Redis expire by its own clock, so a test with a manual clock needs windows that are
    longer than the test. `start` is in seconds since the epoch.
    """

    start: float
    unit: int = 1

    def rates(self, quotas: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[Rate, ...]]:
        """Make the rates of one to three windows, each with a larger quota than the one before."""

        def build(numbers: set[int], windows: set[int]) -> tuple[Rate, ...]:
            return tuple(map(Rate, sorted(numbers), sorted(windows)))

        windows = st.sampled_from([2 * self.unit, 10 * self.unit, 60 * self.unit])
        numbers = st.sets(quotas, min_size=1, max_size=3)
        return st.builds(build, numbers, st.sets(windows, min_size=1))

    def policies(self, name: str, quotas: st.SearchStrategy[int]) -> st.SearchStrategy[RateLimit]:
        """Make policies of one name, with or without a burst and tiers."""
        return st.builds(
            lambda rate, tiers, **options: RateLimit(
                name, rate, tiers=tiers or None, tier_claim="plan" if tiers else None, **options
            ),
            self.rates(quotas),
            st.dictionaries(st.sampled_from(["free", "pro"]), self.rates(quotas)),
            burst=st.none() | st.integers(1, 8),
            shadow=st.sampled_from([False, False, False, True]),
        )

    def overrides(
        self, quotas: st.SearchStrategy[int]
    ) -> st.SearchStrategy[dict[str, KeyOverride]]:
        """Make overrides of some keys; some of them end a while after the start."""
        until = st.none() | st.integers(0, 40).map(lambda it: self.start + it * self.unit)
        times = st.sampled_from([0.25, 0.5, 1.5, 2.0])
        one = st.one_of(
            st.builds(KeyOverride, st.just("rate"), rates=self.rates(quotas), until=until),
            st.builds(KeyOverride, st.just("times"), times=times, until=until),
            st.builds(KeyOverride, st.sampled_from(["block", "allow"]), until=until),
        )
        return st.dictionaries(st.sampled_from(PARTITIONS[1:]), one, max_size=2)

    def sets_in_force(
        self, quotas: st.SearchStrategy[int]
    ) -> st.SearchStrategy[list[PolicyInForce]]:
        """Make two policies in force, with overrides of their keys."""

        def one(name: str) -> st.SearchStrategy[PolicyInForce]:
            policies, overrides = self.policies(name, quotas), self.overrides(quotas)
            return st.builds(PolicyInForce, policies, overrides=overrides)

        return st.tuples(one("pages"), one("chat")).map(list)

    def schedules(self) -> st.SearchStrategy[list[Request]]:
        """Make schedules at random. Hypothesis would mostly make those of a few requests."""
        return st.integers(0, 2**32).map(self.make_schedule)

    def make_schedule(self, seed: int) -> list[Request]:
        """Make a schedule of 150 requests."""
        random = Random(seed)
        return [
            Request(
                pause=self.unit * random.choice((*PAUSES, random.randrange(700_000))),
                partition=random.choice(PARTITIONS),
                tier=random.choice(TIERS),
                costs={
                    name: random.choice((0, 1, 1, 1, 1, 2, 5))
                    for name in random.choice((["pages"], ["chat"], ["pages", "chat"]))
                },
            )
            for _ in range(150)
        ]
