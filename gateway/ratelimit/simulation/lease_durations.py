"""`LeaseDurations`: how long requests hold a lease, for those that were refused when recorded."""

import heapq
from collections import OrderedDict, defaultdict

from gateway.ratelimit.algorithms.concurrency import ConcurrencyState
from gateway.ratelimit.recording.events import RecordedLease, RecordedRequest
from gateway.ratelimit.rule import Rule

MAX_LEASES = 100_000


class LeaseDurations:
    """Ends the leases of requests that are newly admitted, after the mean time of their policy.

    Nothing was recorded about how long they would have lasted. Times are in microseconds.
    """

    # Invariants:
    # - `_taken` has when each recorded lease was taken, until its release.
    # - `_ending` is a heap by the time at which a lease is to be renewed or released.

    def __init__(self) -> None:
        self.guessed = 0
        self._taken: OrderedDict[int, int] = OrderedDict()
        self._totals: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._ending: list[tuple[int, int, int, ConcurrencyState, Rule]] = []

    def observe_request(self, request: RecordedRequest) -> None:
        """Note when the leases of a request begin."""
        for number in request.leases.values():
            self._taken[number] = request.now
            if len(self._taken) > MAX_LEASES:
                self._taken.popitem(last=False)

    def observe_lease(self, event: RecordedLease) -> None:
        """Note how long a released lease lasted."""
        taken = self._taken.pop(event.number, None) if event.is_release else None
        if taken is not None:
            total = self._totals[event.key.policy]
            total[0] += event.now - taken
            total[1] += 1

    def take(self, state: ConcurrencyState, rule: Rule, now: int) -> None:
        """Hold a lease for the mean time; for the lease time if none is known."""
        total, count = self._totals[rule.policy]
        duration = total // count if count else rule.window
        self.guessed += 1
        state.charge(now, rule, 1, _name_guess(self.guessed))
        self._schedule(now, now + duration, self.guessed, state, rule)

    def end_until(self, now: int) -> None:
        """Renew and release what is due."""
        while self._ending and self._ending[0][0] <= now:
            at, number, end, state, rule = heapq.heappop(self._ending)
            if at < end:
                state.charge(at, rule, 1, _name_guess(number))
                self._schedule(at, end, number, state, rule)
            else:
                state.release(_name_guess(number))

    def _schedule(
        self, now: int, end: int, number: int, state: ConcurrencyState, rule: Rule
    ) -> None:
        at = min(end, now + rule.window // 2)
        heapq.heappush(self._ending, (at, number, end, state, rule))


def _name_guess(number: int) -> str:
    return f"guess {number}"
