"""The limiter in this process: the same decisions as `count.lua`, for a bounded number of keys."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from gateway.ratelimit.algorithms.gcra import GcraState
from gateway.ratelimit.algorithms.limit_state import (
    MICROSECONDS,
    LimitParams,
    LimitState,
    limit_params,
)
from gateway.ratelimit.algorithms.sliding_window import SlidingWindowState
from gateway.ratelimit.limiter import Charge, RateLimiter, Standing, Verdict

Entry = tuple[Charge, LimitState, LimitParams, int]


def monotonic() -> int:
    """Microseconds on a clock that nobody sets."""
    return time.monotonic_ns() // 1_000


class MemoryLimiter(RateLimiter):
    """Counts in this process alone.

    Holds at most `keys` accounts. Where one more is needed, an account with nothing left in
    its window goes first, then the one that was used the longest ago.
    """

    def __init__(self, keys: int = 100_000, clock: Callable[[], int] = monotonic) -> None:
        self._capacity = keys
        self._clock = clock
        self._held = 0
        self._sweep_at = 0  # no account that a sweep would look at is idle earlier
        # Accounts by their window, each least recently used first: the idle are at the front.
        self._by_window: dict[int, OrderedDict[str, LimitState]] = {}

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Admit and charge the request, or refuse it at no cost."""
        return self.decide(charges)

    def decide(self, charges: Sequence[Charge]) -> Verdict:
        """`check` without the await: nothing here waits."""
        now = self._swept()
        entries, admitted = [], True
        for charge in charges:
            terms = limit_params(charge.policy)
            account = self._account(charge.key, terms)
            wait = account.wait(now, terms, charge.cost)
            if wait and not charge.policy.shadow:
                admitted = False
            entries.append((charge, account, terms, wait))
        if admitted:
            for charge, account, terms, _ in entries:
                if charge.cost:
                    account.charge(now, terms, charge.cost)
        return Verdict.of([_standing(entry, now) for entry in entries])

    def record(self, charges: Sequence[Charge]) -> None:
        """Write down what was admitted elsewhere, whether it fits here or not."""
        now = self._swept()
        for charge in charges:
            terms = limit_params(charge.policy)
            account = self._account(charge.key, terms)
            if charge.cost:
                account.charge(now, terms, charge.cost)

    def clear(self) -> None:
        """Forget every account."""
        self._by_window.clear()
        self._held = 0

    def health(self) -> dict[str, str | int]:
        """How many keys are held."""
        return {"status": "ok", "counters": "embedded", "keys": self._held}

    def _account(self, key: str, terms: LimitParams) -> LimitState:
        accounts = self._by_window.get(terms.window)
        kind = GcraState if terms.burst else SlidingWindowState
        account = accounts.get(key) if accounts else None
        if accounts and type(account) is kind:
            accounts.move_to_end(key)
            return account
        account = self._moved(key)
        return self._hold(key, account if isinstance(account, kind) else kind(), terms.window)

    def _hold(self, key: str, account: LimitState, window: int) -> LimitState:
        if self._held >= self._capacity:
            min(filter(None, self._by_window.values()), key=_last_charged).popitem(last=False)
            self._held -= 1
        self._by_window.setdefault(window, OrderedDict())[key] = account
        self._held += 1
        self._sweep_at = 0
        return account

    def _moved(self, key: str) -> LimitState | None:
        """The account of a key whose policy had another window until now."""
        for accounts in self._by_window.values():
            if key in accounts:
                self._held -= 1
                return accounts.pop(key)
        return None

    def _swept(self) -> int:
        """The time, with the idle gone that one can find at once."""
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        return now

    def _sweep(self, now: int) -> None:
        """Drop accounts with nothing left in them, at most two per window each time."""
        for accounts in self._by_window.values():
            for _ in range(2):
                if accounts and _oldest(accounts).idle_at <= now:
                    accounts.popitem(last=False)
                    self._held -= 1
        used = filter(None, self._by_window.values())
        self._sweep_at = min((_oldest(accounts).idle_at for accounts in used), default=0)


def _oldest(accounts: OrderedDict[str, LimitState]) -> LimitState:
    return next(iter(accounts.values()))


def _last_charged(accounts: OrderedDict[str, LimitState]) -> int:
    return _oldest(accounts).newest


def _standing(entry: Entry, now: int) -> Standing:
    charge, account, terms, wait = entry
    remaining, reset = account.left(now, terms)
    return Standing(charge.policy, remaining, reset / MICROSECONDS, wait / MICROSECONDS)
