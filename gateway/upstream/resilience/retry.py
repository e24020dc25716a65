"""Retry of idempotent calls, with jitter, a budget, and respect for the deadline."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from random import uniform

from gateway.upstream.call import Call
from gateway.upstream.call_policy import Attempt, CallPolicy, R, attempt_number
from gateway.upstream.deadline import remaining
from gateway.upstream.errors import UpstreamError, UpstreamTimeout, UpstreamUnavailable

BUDGET_WINDOW_SECONDS = 10
_ROUNDING = 1e-9  # 0.29 * 100 is less than 29
_NOT_TRANSIENT = frozenset({501, 505, 506, 508, 510, 511})


class RetryBudget:
    """Limits the retries to one service, to avoid overloading it further.

    Within any `BUDGET_WINDOW_SECONDS`, retries are at most `share` of the calls. `minimum` retries
    are always allowed, for services with few calls. Calls are counted in buckets of one second, so
    a window is up to one second longer; memory is constant. The design follows the retry budgets
    of Finagle and Envoy.
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
        """Show the calls and retries within the window."""
        return f"<RetryBudget {self._retries} retries of {self._calls} calls>"

    def record_call(self) -> None:
        """Count a call, at its first attempt."""
        self._bucket()[1] += 1
        self._calls += 1

    def try_spend(self) -> bool:
        """Spend one retry of the budget; return False if none is left."""
        bucket = self._bucket()
        if self._retries + 1 > max(self._minimum, self._share * self._calls + _ROUNDING):
            return False
        bucket[2] += 1
        self._retries += 1
        return True

    def _bucket(self) -> list[int]:
        """Return the bucket of the current second, and drop buckets that have left the window."""
        buckets, second = self._buckets, int(self._clock())
        while buckets and buckets[0][0] < second - BUDGET_WINDOW_SECONDS:
            _, calls, retries = buckets.popleft()
            self._calls -= calls
            self._retries -= retries
        if not buckets or buckets[-1][0] != second:
            buckets.append([second, 0, 0])
        return buckets[-1]


class Retry(CallPolicy):
    """Retries calls with transient failures.

    A call is retried if all these conditions hold:

    - it is idempotent (RFC 9110, 9.2.2): a POST is not sent twice unless its client declares
      `idempotent=True`, and a PATCH never is;
    - the service could not be reached, closed the connection early, or responded with 429 or 5xx
      (a call whose own timeout has passed has no time left for another attempt);
    - fewer than `attempts` attempts have been made, and the budget allows one more;
    - the pause before the next attempt ends before the deadline of the call.

    The pause is random between 0 and `backoff` seconds, doubled for each attempt up to
    `max_backoff` (full jitter). It is never shorter than the `Retry-After` of the response.
    """

    def __init__(
        self, attempts: int, *, budget: RetryBudget, backoff: float, max_backoff: float
    ) -> None:
        self._attempts = attempts
        self._budget = budget
        self._backoff = backoff
        self._max_backoff = max_backoff

    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        """Make the call, and retry it if needed."""
        self._budget.record_call()
        made = 0
        while True:
            made += 1
            number = attempt_number.set(made)
            try:
                return await attempt()
            except UpstreamError as error:
                pause = self._pause(call, error, made)
                if pause is None:
                    raise
            finally:
                attempt_number.reset(number)
            await asyncio.sleep(pause)

    def _pause(self, call: Call, error: UpstreamError, made: int) -> float | None:
        """Return the seconds to wait before the next attempt; None stops the retries."""
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
    """Whether the failure may be temporary."""
    return (
        isinstance(error, UpstreamUnavailable | UpstreamTimeout)
        and error.status not in _NOT_TRANSIENT
    )
