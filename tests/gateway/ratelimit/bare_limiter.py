"""A limiter of a test that only checks: it has no leases, settlements or counts of its own."""

from collections.abc import Sequence

from gateway.ratelimit.limiter import LeaseUpdate, Mark, RateLimiter, Settlement


class BareLimiter(RateLimiter):
    """The base of limiters that define `check` alone."""

    def update_leases(self, updates: Sequence[LeaseUpdate]) -> None:
        """Hold no leases."""

    def mark(self) -> Mark:
        """Return the same mark."""
        return Mark(0, 0)

    def settle(self, settlement: Settlement) -> None:
        """Hold no charges."""

    def clear_local(self, prefix: str) -> None:
        """Hold no counts."""

    def health(self) -> dict[str, str | int]:
        """Return a constant."""
        return {"status": "ok"}
