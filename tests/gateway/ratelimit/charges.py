"""What the tests of the limiters share: a clock one sets, and a shorthand for charges."""

from typing import Any

from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.policy import MICROSECONDS, RateLimit
from gateway.settings.rate import Rate

START = 1_800_000_000 * MICROSECONDS


class ManualClock:
    """Microseconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        """The time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += round(seconds * MICROSECONDS)


def charge(
    quota: int, window: int = 60, *, name: str = "account", cost: int = 1, **policy: Any
) -> Charge:
    """A charge under a policy of its own; its key is the policy's name."""
    return Charge(RateLimit(name, Rate(quota, window), **policy), f"lockgate:{{t}}:{name}", cost)
