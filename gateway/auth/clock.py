"""The clock for token lifetimes and key cool-downs, as one object that a test can replace."""

import asyncio
import time


class Clock:
    """The system clock.

    - `now()`: seconds since the epoch, compared with `exp`, `nbf` and `iat`.
    - `monotonic()`: seconds that never run backwards, for cool-downs.
    - `sleep(seconds)`: suspends the current task.
    """

    # `now` is called for every request. As a static attribute it is the C function itself,
    # without a Python frame around it.
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(asyncio.sleep)
