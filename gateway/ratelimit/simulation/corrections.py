"""Changes of counts besides checks: charges that are settled, and leases that end."""

from gateway.ratelimit.algorithms.concurrency import ConcurrencyState
from gateway.ratelimit.algorithms.gcra import GcraState
from gateway.ratelimit.algorithms.limit_state import LimitState
from gateway.ratelimit.algorithms.sliding_window import SlidingWindowState
from gateway.ratelimit.recording.events import RecordedLease, RecordedSettlement
from gateway.ratelimit.rule import Rule


def settle(state: LimitState, rule: Rule, event: RecordedSettlement) -> None:
    """Correct the charge of one request, as the limiters do."""
    if event.difference > 0:
        state.charge(event.now, rule, event.difference)
    elif isinstance(state, SlidingWindowState | GcraState):
        state.give_back(event.now, rule, event.charged_at, -event.difference)


def update_lease(state: ConcurrencyState, rule: Rule, event: RecordedLease) -> None:
    """Renew or release a lease, or restore one that was lost."""
    drop_lease(state, event)
    if not event.is_release:
        state.charge(event.now, rule, 1, name_lease(event.number))


def drop_lease(state: ConcurrencyState, event: RecordedLease) -> bool:
    """Drop a lease; return whether it was held. One from before is known by its end alone."""
    if state.release(name_lease(event.number)):
        return True
    earlier = state.find_lease(event.expires_at)
    return earlier is not None and state.release(earlier)


def name_lease(number: int | None) -> str:
    """Return the id of a recorded lease."""
    return f"lease {number}"
