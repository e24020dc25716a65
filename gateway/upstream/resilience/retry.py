"""Retry of idempotent calls: jittered, within the deadline, under a budget."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from random import uniform

from gateway.upstream.call import Call
from gateway.upstream.call_policy import Attempt, CallPolicy, R
from gateway.upstream.deadline import remaining
from gateway.upstream.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable

BUDGET_WINDOW_SECONDS = 10
_ROUNDING = 1e-9  # 0.29 * 100 is less than 29
_NOT_TRANSIENT = frozenset({501, 505, 506, 508, 510, 511})


class RetryBudget:
    """Bounds the retries to one service, so that retries cannot keep an overloaded one down.

    Within any `BUDGET_WINDOW_SECONDS`, retries are at most `share` of the calls, but `minimum`
    are always allowed: a service that is called seldom can be retried too. Counted in buckets of
    one second, so a window is up to one second longer; memory is constant. After Finagle's and
    Envoy's retry budgets.
    """

    def __init__(
        self, *, share: float, minimum: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._share = share
        self._minimum = minimum
        self._clock = clock
        self._calls = self._retries = 0
        # [second, calls, retries], oldest first.
        self._buckets: deque[list[int]] = deque()

    def __repr__(self) -> str:
        """Calls and retries within the window."""
        return f"<RetryBudget {self._retries} retries of {self._calls} calls>"

    def record_call(self) -> None:
        """Count a call, at its first attempt."""
        self._bucket()[1] += 1
        self._calls += 1

    def try_spend(self) -> bool:
        """Take one retry out of the budget; False if there is none left."""
        bucket = self._bucket()
        if self._retries + 1 > max(self._minimum, self._share * self._calls + _ROUNDING):
            return False
        bucket[2] += 1
        self._retries += 1
        return True

    def _bucket(self) -> list[int]:
        """The bucket of this second; those that have left the window are forgotten."""
        buckets, second = self._buckets, int(self._clock())
        while buckets and buckets[0][0] < second - BUDGET_WINDOW_SECONDS:
            _, calls, retries = buckets.popleft()
            self._calls -= calls
            self._retries -= retries
        if not buckets or buckets[-1][0] != second:
            buckets.append([second, 0, 0])
        return buckets[-1]


class Retry(CallPolicy):
    """Repeats a call that failed in a way that may pass.

    A call is retried when all of this holds:

    - its method is idempotent (RFC 9110, 9.2.2): a POST or PATCH is never sent twice;
    - the service could not be reached, closed the connection early, or responded with 429 or 5xx
      (a call whose own timeout has passed has no time left for another attempt);
    - fewer than `attempts` have been made, and the budget allows one more;
    - the pause before the next attempt ends before the deadline of the call.

    The pause is random between 0 and `backoff` seconds, doubled for each attempt up to
    `max_backoff` (full jitter). A service that sends `Retry-After` is left alone for that long.
    """

    def __init__(
        self, attempts: int, *, budget: RetryBudget, backoff: float, max_backoff: float
    ) -> None:
        self._attempts = attempts
        self._budget = budget
        self._backoff = backoff
        self._max_backoff = max_backoff

    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        """Make the call, with retries."""
        self._budget.record_call()
        made = 0
        while True:
            made += 1
            try:
                return await attempt()
            except UpstreamError as error:
                pause = self._pause(call, error, made)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    def _pause(self, call: Call, error: UpstreamError, made: int) -> float | None:
        """Seconds to wait before the next attempt; None if there is to be none."""
        if made >= self._attempts or not call.is_idempotent or not _is_transient(error):
            return None
        pause = uniform(0, min(self._max_backoff, self._backoff * 2 ** (made - 1)))  # noqa: S311
        if error.retry_after is not None:
            pause = max(pause, error.retry_after)
        left = remaining()
        if left is not None and pause >= left:
            return None
        return pause if self._budget.try_spend() else None


def _is_transient(error: UpstreamError) -> bool:
    """Whether the same call may succeed a moment later."""
    return (
        isinstance(error, UpstreamUnavailable | UpstreamTimeout)
        and error.status not in _NOT_TRANSIENT
    )
