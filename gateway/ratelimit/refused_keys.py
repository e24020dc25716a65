"""`RefusedKeys`: charges that Redis has refused, remembered until they may fit.

A caller that goes on after a refusal is refused here, at no cost for Redis.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.ratelimit.cleared_prefixes import ClearedPrefixes
from gateway.ratelimit.limiter import Charge, Standing, Verdict
from gateway.ratelimit.monotonic_clock import monotonic_microseconds
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule


@dataclass(slots=True)
class RefusedCharge:
    """A charge that did not fit; times in microseconds, `redis_now` on the clock of Redis."""

    rule: Rule
    remaining: int
    sent_at: int
    resets_at: int
    until: int
    redis_now: int


class RefusedKeys:
    """Remembers refusals of at most `max_keys` keys and costs, the most recently used ones.

    Those of the policies `settled` are not remembered.
    """

    # Why a remembered refusal is exact: a charge that Redis refused for `retry_after` fits no
    # earlier, because every other charge of its key only makes it wait longer. The time counts
    # from the moment at which the check was sent, which is before Redis decided. These can make it
    # fit earlier:
    # - another rule: a live change, or another tier of the same caller. A refusal holds for its
    #   own rule alone, so that a change needs no notice. A caller that alternates between two
    #   tiers with a burst may be refused for too long: a charge of the faster one drains both.
    # - counts that are deleted. `clear` is called then in all processes; it also drops the refusals
    #   of the checks that are in flight at that moment, by their generation.
    # - quota that is given back, when a charge is settled, by any process. Refusals of a policy
    #   whose charges are settled are not remembered: those of `reserved()` from the start, and any
    #   other from its first settlement in this process on.
    # A place of a concurrency limit can come back at any time; such a refusal is not remembered.

    def __init__(
        self,
        max_keys: int,
        clock: Callable[[], int] = monotonic_microseconds,
        *,
        settled: Iterable[str] = (),
    ) -> None:
        self._generation = 0
        self._max_keys = max_keys
        self._clock = clock
        self._refusals: OrderedDict[tuple[str, int], RefusedCharge] = OrderedDict()
        self._cleared = ClearedPrefixes()
        self._excluded = set(settled)

    def __len__(self) -> int:
        return len(self._refusals)

    def find(self, charges: Sequence[Charge]) -> Verdict | None:
        """Return a refusal if one of the charges is known not to fit; else None.

        The verdict has the standings of the policies that refuse alone.
        """
        if not self._refusals:
            return None
        self._drop_cleared()
        now = self._clock()
        standings: list[Standing] = []
        redis_now = 0
        for charge in charges:
            if charge.wants_state:  # which Redis alone can tell
                return None
            refusal = self._refusals.get((charge.key, charge.cost))
            if refusal is None:
                continue
            if refusal.until <= now or refusal.rule != charge.rule:
                del self._refusals[charge.key, charge.cost]
                continue
            self._refusals.move_to_end((charge.key, charge.cost))
            standings.append(_make_standing(refusal, now))
            redis_now = max(redis_now, refusal.redis_now + now - refusal.sent_at)
        if not standings:
            return None
        return Verdict.of(standings, redis_now, is_remembered=True)

    def begin_check(self) -> tuple[int, int]:
        """Return what `remember` needs to know about the moment before a check is sent."""
        return self._clock(), self._generation

    def remember(self, charges: Sequence[Charge], verdict: Verdict, begun: tuple[int, int]) -> None:
        """Remember a refusal of Redis; `begun` is what `begin_check` returned."""
        sent_at, generation = begun
        if generation != self._generation:
            return
        self._drop_cleared()
        for charge, standing in zip(charges, verdict.standings, strict=True):
            rule = standing.rule
            if standing.retry_after and self._is_lasting(rule):
                self._add(charge, standing, verdict.now, sent_at)

    def _is_lasting(self, rule: Rule) -> bool:
        """Whether only the passing of time makes room under a rule."""
        is_counted = rule.algorithm is not Algorithm.CONCURRENCY and not rule.shadow
        return is_counted and rule.policy not in self._excluded

    def _add(self, charge: Charge, standing: Standing, redis_now: int, sent_at: int) -> None:
        if len(self._refusals) >= self._max_keys:
            self._refusals.popitem(last=False)
        self._refusals[charge.key, charge.cost] = RefusedCharge(
            standing.rule,
            standing.remaining,
            sent_at,
            sent_at + round(standing.reset * MICROSECONDS),
            sent_at + round(standing.retry_after * MICROSECONDS),
            redis_now,
        )

    def exclude(self, policies: set[str]) -> None:
        """Remember no refusal of these policies from now on."""
        if policies <= self._excluded:
            return
        self._excluded |= policies
        for charged in [it for it, one in self._refusals.items() if one.rule.policy in policies]:
            del self._refusals[charged]

    def clear(self, prefix: str = "") -> None:
        """Drop the refusals of all keys that begin with `prefix`, and of checks in flight.

        Any thread may call it.
        """
        self._generation += 1
        self._cleared.add(prefix)

    def _drop_cleared(self) -> None:
        for prefix in self._cleared.take():
            for key in [key for key in self._refusals if key[0].startswith(prefix)]:
                del self._refusals[key]


def _make_standing(refusal: RefusedCharge, now: int) -> Standing:
    reset = max(0, refusal.resets_at - now) / MICROSECONDS
    retry_after = (refusal.until - now) / MICROSECONDS
    return Standing(refusal.rule, refusal.remaining, reset, retry_after)
