"""`KeyOverride`: what an operator has set for one key of a policy."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from gateway.ratelimit.bounds import MAX_TIMES
from gateway.settings.rate import Rate

OverrideKind = Literal["rate", "times", "block", "allow"]


@dataclass(frozen=True, slots=True)
class KeyOverride:
    """Another limit for one key, until a time in seconds since the epoch, or without an end.

    The kinds: `rate` replaces the rates (`rates`), or the limit of a concurrency limit (`limit`);
    `times` multiplies them (`times`); `block` refuses every request; `allow` counts none.

    Raises:
        ValueError: a value is invalid, or belongs to another kind.
    """

    kind: OverrideKind
    rates: tuple[Rate, ...] | None = None
    limit: int | None = None
    times: float | None = None
    until: float | None = None

    def __post_init__(self) -> None:
        """Check that the values belong to the kind."""
        if self.kind not in get_args(OverrideKind):
            raise ValueError(
                f"kind is {self.kind!r}; it must be one of {', '.join(get_args(OverrideKind))}"
            )
        has_value = bool(self.rates) or self.limit is not None
        if has_value != (self.kind == "rate") or (self.rates and self.limit is not None):
            raise ValueError(f"kind is {self.kind}; a rate or a limit belongs to the kind rate")
        if (self.times is not None) != (self.kind == "times"):
            raise ValueError(f"kind is {self.kind}; a factor belongs to the kind times")
        if self.times is not None and not 0 < self.times <= MAX_TIMES:
            raise ValueError(
                f"times is {self.times:g}; it must be more than 0 and at most {MAX_TIMES}"
            )
        if self.until is not None and not math.isfinite(self.until):
            raise ValueError(f"until is {self.until}; it must be a time")

    def is_in_force(self, now: float) -> bool:
        """Return whether it has not ended at `now`, in seconds since the epoch."""
        return self.until is None or now < self.until
