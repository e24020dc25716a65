"""A manual clock, and a helper that makes charges, for the tests of the limiters."""

from typing import Any

from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.policy import MICROSECONDS, RateLimit
from gateway.settings.rate import Rate

START = 1_800_000_000 * MICROSECONDS


class ManualClock:
    """A clock in microseconds that stands still until `advance`."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        """The time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the clock on; a negative number moves it back."""
        self.now += round(seconds * MICROSECONDS)


def charge(
    quota: int, window: int = 60, *, name: str = "policy", cost: int = 1, **policy: Any
) -> Charge:
    """A charge under a policy of its own; the key ends with the name of the policy."""
    return Charge(RateLimit(name, Rate(quota, window), **policy), f"lockgate:{{t}}:{name}", cost)
