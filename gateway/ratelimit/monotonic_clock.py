"""The clock of counts in this process."""

import time


def monotonic_microseconds() -> int:
    """Return the time on a clock that is never set back."""
    return time.monotonic_ns() // 1_000
