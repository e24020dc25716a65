"""`PrefetchedQuota`: requests that Redis granted to this process in advance, for hot keys.

A policy with `prefetch=N` is counted in Redis for several requests at once: a check that goes to
Redis asks for up to N further requests, and this process admits those without Redis.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.ratelimit.cleared_prefixes import ClearedPrefixes
from gateway.ratelimit.limiter import Charge, Standing, Verdict
from gateway.ratelimit.monotonic_clock import monotonic_microseconds
from gateway.ratelimit.prefetch_numbers import get_prefetch, get_spending_time
from gateway.ratelimit.rule import MICROSECONDS, Rule

Charged = tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Prefetch:
    """Requests of the same keys and costs, granted in advance.

    While a check `is_fetching` it, nothing is left to spend.

    `size` were granted with the check sent at `sent_at`, and `left` of them are not spent.
    `admitted` counts the requests since then, with that one. `standings` are those of its verdict,
    which was reached at `redis_now`: all requests of the prefetch were charged then. Times are in
    microseconds.
    """

    rules: tuple[Rule, ...]
    sent_at: int
    size: int = 0
    left: int = 0
    admitted: int = 0
    redis_now: int = 0
    standings: tuple[Standing, ...] = ()
    is_fetching: bool = False

    @property
    def spending_time(self) -> int:
        """How long it may be spent: the shortest time of its rules."""
        return min(map(get_spending_time, self.rules))


class PrefetchedQuota:
    """Fetches and spends quota of this process in advance, for at most `max_keys` sets of keys.

    One prefetch covers all rules of a request, so that they are charged together. A request with a
    rule without a prefetch is always decided by Redis, and so is one at no cost. Another rule, such
    as that of a live change, and `clear` void a prefetch.
    """

    # How many requests a check asks for in advance, see `_compute_size`:
    # - Half of what this process is expected to admit within the spending time, at the rate since
    #   the last check. So a key that is not hot gets none, and only a rate that falls by half
    #   leaves something unspent. Never more than twice what it has admitted since the last check.
    # - Never more than `Rule.prefetch`, nor than remaining / (2 * processes): near the limit, it
    #   becomes small, and then all requests are decided by Redis.
    # - None while another check of the same key that asks for more is in flight. The requests
    #   in the meantime are decided by Redis one by one, in the same pipeline.
    #
    # Under-admission: what is not spent within the spending time counts as admitted until its
    # window has passed. At any moment at most `Rule.prefetch` requests per process are granted and
    # not spent. A prefetch is at most twice what was admitted since the check before it, so that
    # even a caller who stops and starts at the worst moments gets at least a third of the quota.

    def __init__(
        self,
        max_keys: int,
        processes: int = 1,
        clock: Callable[[], int] = monotonic_microseconds,
    ) -> None:
        self._max_keys = max_keys
        self._processes = processes
        self._clock = clock
        self._prefetches: OrderedDict[Charged, Prefetch] = OrderedDict()
        self._cleared = ClearedPrefixes()

    def __len__(self) -> int:
        return len(self._prefetches)

    def spend(self, charges: Sequence[Charge]) -> Verdict | None:
        """Admit a request that can be prefetched, if it was; None: Redis has to decide."""
        prefetch = self._find(charges)
        if prefetch is None or not prefetch.left:
            return None
        now = self._clock()
        if now >= prefetch.sent_at + prefetch.spending_time:
            return None
        prefetch.left -= 1
        prefetch.admitted += 1
        return _make_verdict(prefetch, charges, now)

    def begin_fetch(self, charges: Sequence[Charge]) -> tuple[Prefetch | None, int]:
        """Prepare a check of a request that can be prefetched.

        Returns the prefetch that it fetches, for `end_fetch`, and the number of requests to ask for
        in advance; no prefetch if another check fetches it.
        """
        prefetch = self._find(charges) or self._add(charges)
        if prefetch.is_fetching:
            prefetch.admitted += 1
            return None, 0
        now = self._clock()
        size = self._compute_size(prefetch, charges, now)
        prefetch.sent_at = now
        prefetch.left, prefetch.admitted, prefetch.is_fetching = 0, 1, True
        return prefetch, size

    def end_fetch(self, prefetch: Prefetch, verdict: Verdict | None) -> None:
        """Take what Redis has granted with the verdict; None if there is none."""
        prefetch.is_fetching = False
        if verdict is not None:
            prefetch.size = prefetch.left = verdict.granted
            prefetch.redis_now, prefetch.standings = verdict.now, verdict.standings

    def clear(self, prefix: str = "") -> None:
        """Void the prefetches of all keys that begin with `prefix`, also those being fetched.

        Any thread may call it.
        """
        self._cleared.add(prefix)

    def _drop_cleared(self) -> None:
        for prefix in self._cleared.take():
            for charged in list(self._prefetches):
                if any(key.startswith(prefix) for key, _ in charged):
                    del self._prefetches[charged]

    def _find(self, charges: Sequence[Charge]) -> Prefetch | None:
        self._drop_cleared()
        charged = _get_charged(charges)
        prefetch = self._prefetches.get(charged)
        if prefetch is None:
            return None
        for rule, charge in zip(prefetch.rules, charges, strict=True):
            if rule is not charge.rule and rule != charge.rule:
                del self._prefetches[charged]
                return None
        self._prefetches.move_to_end(charged)
        return prefetch

    def _add(self, charges: Sequence[Charge]) -> Prefetch:
        if len(self._prefetches) >= self._max_keys:
            self._prefetches.popitem(last=False)
        prefetch = Prefetch(tuple([charge.rule for charge in charges]), self._clock())
        self._prefetches[_get_charged(charges)] = prefetch
        return prefetch

    def _compute_size(self, prefetch: Prefetch, charges: Sequence[Charge], now: int) -> int:
        expected = prefetch.admitted * prefetch.spending_time // max(1, now - prefetch.sent_at)
        remaining = [
            standing.remaining // charge.cost
            for standing, charge in zip(prefetch.standings, charges, strict=False)
        ]
        share = min(remaining, default=0) // (2 * self._processes)
        most = min(map(get_prefetch, prefetch.rules))
        return min(expected // 2, 2 * prefetch.admitted, share, most)


def can_be_prefetched(charges: Sequence[Charge]) -> bool:
    """Whether Redis may grant several requests with these charges at once."""
    for charge in charges:
        if not charge.rule.prefetch or not charge.cost or charge.wants_state:
            return False
    return bool(charges)


def _get_charged(charges: Sequence[Charge]) -> Charged:
    return tuple([(charge.key, charge.cost) for charge in charges])


def _make_verdict(prefetch: Prefetch, charges: Sequence[Charge], now: int) -> Verdict:
    elapsed = now - prefetch.sent_at
    spent = prefetch.size - prefetch.left
    standings = []
    for charge, standing in zip(charges, prefetch.standings, strict=True):
        reset = max(0, standing.reset - elapsed / MICROSECONDS)
        standings.append(Standing(charge.rule, standing.remaining - spent * charge.cost, reset))
    return Verdict.of(standings, prefetch.redis_now, is_remembered=True)
