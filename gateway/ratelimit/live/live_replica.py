"""Keeps the live limits of this process up to date with the database."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.auth.clock import Clock
from gateway.ratelimit.limiter import ClearableCounts
from gateway.ratelimit.live.limit_history import CountReset, read_resets
from gateway.ratelimit.live.live_policies import LivePolicies, LiveState
from gateway.ratelimit.live.reset_counts import clear_here
from gateway.ratelimit.live.stored_limit import read_limits
from gateway.storage.change_feed import Page

_RESETS_AT_ONCE = 500
_MAX_REPEATED = 2_000
_REPEAT_SECONDS = 30.0
"""A reset takes no longer than this, so that its counts in Redis are gone by then."""


class LoadedLimits(NamedTuple):
    """The documents that have changed, and the counts to clear; `is_complete` if all are loaded."""

    states: Sequence[LiveState]
    resets: Sequence[CountReset]
    is_complete: bool


class LiveReplica:
    """Puts the live documents of the database in force, and clears the counts that were reset."""

    def __init__(self, policies: LivePolicies, limiter: ClearableCounts, clock: Clock) -> None:
        self._policies = policies
        self._limiter = limiter
        self._clock = clock
        self._is_loaded = False
        self._resets = deque[tuple[float, CountReset]](maxlen=_MAX_REPEATED)

    def load(self, connection: Connection, after: int) -> LoadedLimits | Page:
        """Load the changes after the entry `after` of the journal. Runs in a thread."""
        states = [self._policies.read_state(it) for it in read_limits(connection, after)]
        # At its start, a process has no counts of before.
        resets = read_resets(connection, after, _RESETS_AT_ONCE) if self._is_loaded else []
        loaded = LoadedLimits(states, resets, is_complete=after == 0)
        return loaded if len(resets) < _RESETS_AT_ONCE else Page(loaded, resets[-1].seq)

    def apply(self, loaded: LoadedLimits | Page) -> None:
        """Put the documents in force, and clear counts."""
        changes: LoadedLimits = loaded.changes if isinstance(loaded, Page) else loaded
        now = self._clock.now()
        self._policies.put(changes.states, now, is_complete=changes.is_complete)
        self._is_loaded = True
        if changes.resets:
            read_at = self._clock.monotonic()
            self._resets.extend((read_at, reset) for reset in changes.resets)
            self.repeat_resets()

    def repeat_resets(self) -> None:
        """Clear once more what was reset lately.

        Between the entry in the journal and the end of the counts in Redis, this process may have
        got another refusal from Redis, and remembers it.
        """
        resets, now = self._resets, self._clock.monotonic()
        while resets and now - resets[0][0] > _REPEAT_SECONDS:
            resets.popleft()
        for _, reset in resets:
            clear_here(self._limiter, reset.policy, reset.partition)
