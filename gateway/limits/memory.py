"""The limiter in this process: the same decisions as `count.lua`, for a bounded number of keys."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence

from gateway.limits.account import MICROSECONDS, Account, Terms
from gateway.limits.limiter import Charge, Limiter, Standing, Verdict, verdict
from gateway.limits.steady import SteadyAccount
from gateway.limits.window import WindowAccount


def monotonic() -> int:
    """Microseconds on a clock that nobody sets."""
    return time.monotonic_ns() // 1_000


class MemoryLimiter(Limiter):
    """Counts in this process alone.

    Holds at most `keys` accounts. Where one more is needed, an account with nothing left in
    its window goes first, then the one that was used the longest ago.
    """

    def __init__(self, keys: int = 100_000, clock: Callable[[], int] = monotonic) -> None:
        self._capacity = keys
        self._clock = clock
        self._held = 0
        # Accounts by their window, each least recently used first: the idle are at the front.
        self._by_window: dict[int, OrderedDict[str, Account]] = {}

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Admit and charge the request, or refuse it at no cost."""
        return self.decide(charges)

    def decide(self, charges: Sequence[Charge]) -> Verdict:
        """`check` without the await: nothing here waits."""
        now = self._clock()
        self._sweep(now)
        found = list(self._accounts(charges))
        waits = [account.wait(now, terms, cost) for account, terms, cost in found]
        admitted = not any(
            wait and not charge.policy.shadow for wait, charge in zip(waits, charges, strict=True)
        )
        if admitted:
            _debit(found, now)
        return verdict(
            [
                Standing(
                    charge.policy,
                    account.remaining(now, terms),
                    account.reset(now, terms) / MICROSECONDS,
                    wait / MICROSECONDS,
                )
                for charge, (account, terms, _), wait in zip(charges, found, waits, strict=True)
            ]
        )

    def record(self, charges: Sequence[Charge]) -> None:
        """Write down what was admitted elsewhere, whether it fits here or not."""
        now = self._clock()
        self._sweep(now)
        _debit(self._accounts(charges), now)

    def clear(self) -> None:
        """Forget every account."""
        self._by_window.clear()
        self._held = 0

    def health(self) -> dict[str, str | int]:
        """How many keys are held."""
        return {"status": "ok", "counters": "embedded", "keys": self._held}

    def _accounts(self, charges: Sequence[Charge]) -> Iterator[tuple[Account, Terms, int]]:
        for charge in charges:
            terms = Terms.of(charge.policy)
            yield self._account(charge.key, terms), terms, charge.cost

    def _account(self, key: str, terms: Terms) -> Account:
        accounts = self._by_window.get(terms.window)
        if accounts is None:
            accounts = self._by_window[terms.window] = OrderedDict()
        account = accounts.get(key)
        kind = SteadyAccount if terms.burst else WindowAccount
        if isinstance(account, kind):
            accounts.move_to_end(key)
            return account
        account = self._moved(key)
        if not isinstance(account, kind):
            account = kind()
        if self._held >= self._capacity:
            min(filter(None, self._by_window.values()), key=_last_charged).popitem(last=False)
            self._held -= 1
        accounts[key] = account
        self._held += 1
        return account

    def _moved(self, key: str) -> Account | None:
        """The account of a key whose policy had another window until now."""
        for accounts in self._by_window.values():
            if key in accounts:
                self._held -= 1
                return accounts.pop(key)
        return None

    def _sweep(self, now: int) -> None:
        """Drop accounts with nothing left in them, at most two per window each time."""
        for window, accounts in list(self._by_window.items()):
            for _ in range(2):
                if accounts and _oldest(accounts).idle_at <= now:
                    accounts.popitem(last=False)
                    self._held -= 1
            if not accounts:
                del self._by_window[window]


def _oldest(accounts: OrderedDict[str, Account]) -> Account:
    return next(iter(accounts.values()))


def _last_charged(accounts: OrderedDict[str, Account]) -> int:
    return _oldest(accounts).newest


def _debit(entries: Iterable[tuple[Account, Terms, int]], now: int) -> None:
    for account, terms, cost in entries:
        if cost:
            account.charge(now, terms, cost)
