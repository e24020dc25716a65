"""`MemoryLimiter`: counts in this process, for a bounded number of keys.

It decides as the script in `redis/lua` does; `tests/gateway/ratelimit/redis/test_script.py`
compares the two.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence

from gateway.ratelimit.algorithms.concurrency import ConcurrencyState
from gateway.ratelimit.algorithms.gcra import GcraState
from gateway.ratelimit.algorithms.limit_state import STATE_TYPES, LimitState
from gateway.ratelimit.algorithms.sliding_window import SlidingWindowState
from gateway.ratelimit.cleared_prefixes import ClearedPrefixes
from gateway.ratelimit.limiter import (
    Charge,
    LeaseUpdate,
    Mark,
    RateLimiter,
    Settlement,
    Standing,
    State,
    Verdict,
)
from gateway.ratelimit.monotonic_clock import monotonic_microseconds
from gateway.ratelimit.rule import MICROSECONDS

Entry = tuple[Charge, LimitState, int]  # the last is `retry_after` in microseconds


class MemoryLimiter(RateLimiter):
    """Counts in this process alone.

    It holds the states of at most `max_keys` keys, and drops expired states during checks. When it
    is full, a new key evicts another: of the least recently used key of each window, the one that
    was charged the longest ago.
    """

    # Invariants:
    # - `_by_window` holds the states by the window of their rule (microseconds), then by key, the
    #   least recently used first. A key is in one window only, because it ends with the window and
    #   the algorithm.
    # - `_size` is the number of states in all windows, and at most `_max_keys`.
    # - Within a window the first state is usually the first to expire, so that a sweep looks at
    #   the front alone. `_sweep_at` is the earliest time at which a sweep can find anything.
    # - Only the thread of the event loop touches the states. `clear_local`, which any thread may
    #   call, adds to `_cleared` and then sets `_sweep_at` to 0, so that the next check sweeps.

    def __init__(
        self, max_keys: int = 100_000, clock: Callable[[], int] = monotonic_microseconds
    ) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._size = 0
        self._sweep_at = 0
        self._by_window: dict[int, OrderedDict[str, LimitState]] = {}
        self._cleared = ClearedPrefixes()
        self._clears = 0

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Admit and charge the request, or refuse it at no cost.

        A shadow rule never refuses, and is charged what it would have admitted.
        """
        return self.decide(charges)

    def decide(self, charges: Sequence[Charge]) -> Verdict:
        """Do the same as `check`, without a coroutine."""
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        entries, admitted = [], True
        refusing: Collection[str] = ()  # policies, shadow policies included
        states: dict[str, State] | None = None
        for charge in charges:
            rule, state = charge.rule, self._get_state(charge)
            retry_after = state.compute_retry_after(now, rule, charge.cost)
            if retry_after:
                refusing = {*refusing, rule.policy}
                admitted = admitted and rule.shadow
            if charge.wants_state:
                states = {**(states or {}), charge.key: state.dump(now, rule)}
            entries.append((charge, state, retry_after))
        if admitted:
            for charge, state, _ in entries:
                if charge.cost and charge.rule.policy not in refusing:
                    state.charge(now, charge.rule, charge.cost, charge.lease_id)
        standings = [_make_standing(entry, now) for entry in entries]
        return Verdict.of(standings, now, states=states)

    def record(self, charges: Sequence[Charge]) -> None:
        """Charge a request that was admitted elsewhere, whether it fits here or not."""
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        for charge in charges:
            if charge.cost:
                state = self._get_state(charge)
                state.charge(now, charge.rule, charge.cost, charge.lease_id)

    def update_leases(self, updates: Sequence[LeaseUpdate]) -> None:
        """Renew and release leases at once."""
        now = self._clock()
        for charge, is_release in updates:
            if not is_release:
                self._get_state(charge).charge(now, charge.rule, charge.cost, charge.lease_id)
            elif isinstance(state := self._find_state(charge), ConcurrencyState):
                state.release(charge.lease_id)
        if self.count_observer is not None:
            self.count_observer.observe_leases(updates, now)

    def call_on_connect(self, callback: Callable[[], None]) -> None:
        """Call nothing: there is no Redis."""

    def mark(self) -> Mark:
        """Mark the time, before a check whose charges may be settled."""
        return Mark(self._clock(), self._clears)

    def settle(self, settlement: Settlement) -> None:
        """Correct charges at once."""
        now = self._clock()
        if settlement.before.clears != self._clears:
            settlement = settlement.keep_additions()
        for charge, difference in settlement.differences:
            if difference > 0:
                self._get_state(charge).charge(now, charge.rule, difference)
            elif isinstance(state := self._find_state(charge), SlidingWindowState | GcraState):
                state.give_back(now, charge.rule, settlement.before.at, -difference)
        if self.count_observer is not None:
            self.count_observer.observe_settlement(settlement, settlement.before.at, now)

    def read_clock(self) -> int:
        """Return the time of the clock that decides, in microseconds."""
        return self._clock()

    def clear_local(self, prefix: str) -> None:
        """Drop the states of all keys that begin with `prefix`, before the next check."""
        self._cleared.add(prefix)
        self._clears += 1
        self._sweep_at = 0

    async def clear_shared(self, prefix: str, keys: Collection[str] = ()) -> None:
        """Delete nothing: no counts are shared."""

    @property
    def size(self) -> int:
        """The number of keys held."""
        return self._size

    def list_places(self) -> list[tuple[int, str]]:
        """Return the window and the key of each state, of each window the last used one last."""
        self._drop_cleared()
        return [(window, key) for window, states in self._by_window.items() for key in states]

    def find_state(self, window: int, key: str) -> LimitState | None:
        """Return the state of a key, or None."""
        states = self._by_window.get(window)
        return states.get(key) if states else None

    def take_state(self, window: int, key: str) -> LimitState | None:
        """Remove the state of a key, and return it, or None."""
        state = self.find_state(window, key)
        if state is not None:
            del self._by_window[window][key]
            self._size -= 1
        return state

    def put_back(self, window: int, key: str, taken: SlidingWindowState | GcraState) -> None:
        """Add a state that was taken to what its key has been charged since."""
        match self.find_state(window, key):
            case SlidingWindowState() as state if isinstance(taken, SlidingWindowState):
                state.add(taken)
            case GcraState() as state if isinstance(taken, GcraState):
                state.add(taken)
            case _:
                self._insert(key, taken, window)

    def health(self) -> dict[str, str | int]:
        """Return the number of keys held."""
        self._drop_cleared()
        return {"status": "ok", "counters": "embedded", "keys": self._size}

    def _find_state(self, charge: Charge) -> LimitState | None:
        states = self._by_window.get(charge.rule.window)
        return states.get(charge.key) if states else None

    def _get_state(self, charge: Charge) -> LimitState:
        rule, key = charge.rule, charge.key
        states = self._by_window.get(rule.window)
        state = states.get(key) if states else None
        if states and state is not None:
            states.move_to_end(key)
            return state
        return self._insert(key, STATE_TYPES[rule.algorithm](), rule.window)

    def _insert(self, key: str, state: LimitState, window: int) -> LimitState:
        if self._size >= self._max_keys:
            used = filter(None, self._by_window.values())
            evicted, _ = min(used, key=_get_first_updated_at).popitem(last=False)
            self._size -= 1
            if self.count_observer is not None:
                self.count_observer.forget_key(evicted)
        self._by_window.setdefault(window, OrderedDict())[key] = state
        self._size += 1
        self._sweep_at = 0
        return state

    def _sweep(self, now: int) -> None:
        """Drop expired states from the front of each window, at most two of each per sweep."""
        self._drop_cleared()
        for states in self._by_window.values():
            for _ in range(2):
                if states and _get_first(states).expires_at <= now:
                    states.popitem(last=False)
                    self._size -= 1
        used = filter(None, self._by_window.values())
        self._sweep_at = min((_get_first(states).expires_at for states in used), default=0)
        if self._cleared:  # by another thread in the meantime
            self._sweep_at = 0

    def _drop_cleared(self) -> None:
        for prefix in self._cleared.take():
            for states in self._by_window.values():
                for key in [key for key in states if key.startswith(prefix)]:
                    del states[key]
                    self._size -= 1
            if self.count_observer is not None:
                self.count_observer.forget(prefix)


def _get_first(states: OrderedDict[str, LimitState]) -> LimitState:
    return next(iter(states.values()))


def _get_first_updated_at(states: OrderedDict[str, LimitState]) -> int:
    return _get_first(states).updated_at


def _make_standing(entry: Entry, now: int) -> Standing:
    charge, state, retry_after = entry
    remaining, reset = state.compute_remaining(now, charge.rule)
    return Standing(charge.rule, remaining, reset / MICROSECONDS, retry_after / MICROSECONDS)
