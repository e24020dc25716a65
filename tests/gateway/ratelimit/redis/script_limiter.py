"""A limiter on a real Redis whose time is that of a clock of the test."""

from collections.abc import Callable, Collection, Sequence

from gateway.ratelimit.limiter import (
    Charge,
    LeaseUpdate,
    Mark,
    RateLimiter,
    Settlement,
    Verdict,
)
from gateway.ratelimit.redis import script_call
from tests.gateway.ratelimit.redis.script_runner import ScriptRunner


class ScriptLimiter(RateLimiter):
    """Runs the scripts with the bytes of the gateway on a real Redis, at the time of a clock."""

    def __init__(self, runner: ScriptRunner, clock: Callable[[], int]) -> None:
        self._runner = runner
        self._clock = clock

    async def check(self, charges: Sequence[Charge]) -> Verdict:
        """Decide in Redis."""
        return self._runner.decide(charges, self._clock())

    def update_leases(self, updates: Sequence[LeaseUpdate]) -> None:
        """Update leases in Redis."""
        now = self._runner.call(script_call.update_leases(updates), self._clock())
        if self.count_observer is not None:
            self.count_observer.observe_leases(updates, now)

    def call_on_connect(self, callback: Callable[[], None]) -> None:
        """Call nothing: the connection stays."""

    def mark(self) -> Mark:
        """Mark nothing: Redis has a clock of its own."""
        return Mark(0, 0)

    def settle(self, settlement: Settlement) -> None:
        """Settle in Redis."""
        if settlement.differences:
            now = self._runner.call(script_call.settle(settlement), self._clock())
            if self.count_observer is not None:
                observe = self.count_observer.observe_settlement
                observe(settlement, settlement.verdict.now, now)

    def clear_local(self, prefix: str) -> None:
        """Delete the keys with this prefix."""
        for key in self._runner.client.scan_iter("*"):
            if key.decode().startswith(prefix):
                self._runner.client.delete(key)
        if self.count_observer is not None:
            self.count_observer.forget(prefix)

    async def clear_shared(self, prefix: str, keys: Collection[str] = ()) -> None:
        """Delete nothing more: `clear_local` deletes it."""

    def health(self) -> dict[str, str | int]:
        """Return nothing of interest."""
        return {}
