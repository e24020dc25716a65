"""`LeasedQuota`: requests that Redis granted to this process in advance, for hot keys.

A policy with `lease=N` is counted in Redis for several requests at once: a check that goes to Redis
asks for up to N further requests, and this process admits those without Redis.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.ratelimit.lease_numbers import get_lease, get_spending_time
from gateway.ratelimit.limiter import Charge, Standing, Verdict
from gateway.ratelimit.memory import monotonic_microseconds
from gateway.ratelimit.rule import MICROSECONDS, Rule

Charged = tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Lease:
    """Requests of the same keys and costs, granted in advance.

    `size` were granted with the check sent at `sent_at`, and `left` of them are not spent.
    `admitted` counts the requests since then, with that one. `standings` are those of its verdict,
    which was reached at `redis_now`: all requests of the lease were charged then. Times are in
    microseconds.
    """

    rules: tuple[Rule, ...]
    sent_at: int
    size: int = 0
    left: int = 0
    admitted: int = 0
    redis_now: int = 0
    standings: tuple[Standing, ...] = ()
    is_renewing: bool = False

    @property
    def spending_time(self) -> int:
        """How long it may be spent: the shortest time of its rules."""
        return min(map(get_spending_time, self.rules))


class LeasedQuota:
    """Spends and renews the leases of this process, of at most `max_keys` sets of keys.

    One lease covers all rules of a request, so that they are charged together. A request with a
    rule that has no leases is always decided by Redis, and so is one at no cost. Another rule, such
    as that of a live change, and `clear` void a lease.
    """

    # How many requests a check asks for in advance, see `_compute_size`:
    # - Half of what this process is expected to admit within the spending time, at the rate since
    #   the last check. So a key that is not hot gets no lease, and only a rate that falls by half
    #   leaves a lease unspent. Never more than twice what it has admitted since the last check.
    # - Never more than `Rule.lease`, nor than remaining / (2 * processes): near the limit, leases
    #   become small, and then all requests are decided by Redis.
    # - None while another check of the same key that asks for a lease is in flight. The requests
    #   in the meantime are decided by Redis one by one, in the same pipeline.
    #
    # Under-admission: what is not spent within the spending time counts as admitted until its
    # window has passed. At any moment at most `Rule.lease` requests per process are granted and
    # not spent. A lease is at most twice what was admitted since the check before it, so that even
    # a caller who stops and starts at the worst moments gets at least a third of the quota.

    def __init__(
        self,
        max_keys: int,
        processes: int = 1,
        clock: Callable[[], int] = monotonic_microseconds,
    ) -> None:
        self._max_keys = max_keys
        self._processes = processes
        self._clock = clock
        self._leases: OrderedDict[Charged, Lease] = OrderedDict()
        self._cleared: set[str] = set()

    def __len__(self) -> int:
        return len(self._leases)

    def spend(self, charges: Sequence[Charge]) -> Verdict | None:
        """Admit a request that can be leased if a lease covers it; None: Redis has to decide."""
        lease = self._find(charges)
        if lease is None or not lease.left:
            return None
        now = self._clock()
        if now >= lease.sent_at + lease.spending_time:
            return None
        lease.left -= 1
        lease.admitted += 1
        return _make_verdict(lease, charges, now)

    def begin_renewal(self, charges: Sequence[Charge]) -> tuple[Lease | None, int]:
        """Prepare a check of a request that can be leased.

        Returns the lease that it renews, for `end_renewal`, and the number of requests to ask for
        in advance; no lease if another check renews it.
        """
        lease = self._find(charges) or self._add(charges)
        if lease.is_renewing:
            lease.admitted += 1
            return None, 0
        now = self._clock()
        size = self._compute_size(lease, charges, now)
        lease.sent_at = now
        lease.left, lease.admitted, lease.is_renewing = 0, 1, True
        return lease, size

    def end_renewal(self, lease: Lease, verdict: Verdict | None) -> None:
        """Take what Redis has granted with the verdict; None if there is none."""
        lease.is_renewing = False
        if verdict is not None:
            lease.size = lease.left = verdict.granted
            lease.redis_now, lease.standings = verdict.now, verdict.standings

    def clear(self, prefix: str = "") -> None:
        """Void the leases of all keys that begin with `prefix`, also those being renewed.

        Any thread may call it.
        """
        self._cleared.add(prefix)

    def _drop_cleared(self) -> None:
        while self._cleared:
            prefix = self._cleared.pop()
            for charged in list(self._leases):
                if any(key.startswith(prefix) for key, _ in charged):
                    del self._leases[charged]

    def _find(self, charges: Sequence[Charge]) -> Lease | None:
        self._drop_cleared()
        charged = _get_charged(charges)
        lease = self._leases.get(charged)
        if lease is None:
            return None
        for rule, charge in zip(lease.rules, charges, strict=True):
            if rule is not charge.rule and rule != charge.rule:
                del self._leases[charged]
                return None
        self._leases.move_to_end(charged)
        return lease

    def _add(self, charges: Sequence[Charge]) -> Lease:
        if len(self._leases) >= self._max_keys:
            self._leases.popitem(last=False)
        lease = Lease(tuple([charge.rule for charge in charges]), self._clock())
        self._leases[_get_charged(charges)] = lease
        return lease

    def _compute_size(self, lease: Lease, charges: Sequence[Charge], now: int) -> int:
        expected = lease.admitted * lease.spending_time // max(1, now - lease.sent_at)
        remaining = [
            standing.remaining // charge.cost
            for standing, charge in zip(lease.standings, charges, strict=False)
        ]
        share = min(remaining, default=0) // (2 * self._processes)
        most = min(map(get_lease, lease.rules))
        return min(expected // 2, 2 * lease.admitted, share, most)


def can_be_leased(charges: Sequence[Charge]) -> bool:
    """Whether Redis may grant several requests with these charges at once."""
    for charge in charges:
        if not charge.rule.lease or not charge.cost or charge.wants_state:
            return False
    return bool(charges)


def _get_charged(charges: Sequence[Charge]) -> Charged:
    return tuple([(charge.key, charge.cost) for charge in charges])


def _make_verdict(lease: Lease, charges: Sequence[Charge], now: int) -> Verdict:
    elapsed = now - lease.sent_at
    spent = lease.size - lease.left
    standings = []
    for charge, standing in zip(charges, lease.standings, strict=True):
        reset = max(0, standing.reset - elapsed / MICROSECONDS)
        standings.append(Standing(charge.rule, standing.remaining - spent * charge.cost, reset))
    verdict = Verdict.of(standings, lease.redis_now)
    verdict.is_remembered = True
    return verdict
