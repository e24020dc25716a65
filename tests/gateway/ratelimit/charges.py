"""A manual clock, and helpers that make rules and charges, for the tests of the limiters."""

from typing import Any

from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.rule import MICROSECONDS, Rule
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


def make_rule(quota: int, window: int = 60, *, name: str = "policy", **policy: Any) -> Rule:
    """Make the rule of a policy with one window, in seconds."""
    [rule] = RateLimit(name, Rate(quota, window), **policy).make_rules()
    return rule


def charge(
    quota: int, window: int = 60, *, name: str = "policy", cost: int = 1, **policy: Any
) -> Charge:
    """Make a charge under a policy of its own."""
    rule = make_rule(quota, window, name=name, **policy)
    return Charge(rule, make_key(rule, "t"), cost)
