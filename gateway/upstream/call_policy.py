"""The interface for retries, circuit breaking, tracing and other policies on calls to a service."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TypeVar

from gateway.upstream.call import Call

R = TypeVar("R")

attempt_number: ContextVar[int] = ContextVar("attempt_number", default=1)
"""The number of the attempt that is being made; a policy that makes several sets it."""

Attempt = Callable[[], Awaitable[R]]
"""Sends the request once, and returns the response.

It raises UpstreamError if there is no response, or if its status is not a success. The response
is a `RawResponse`, or a `StreamedResponse` whose body has not been read.
"""


class CallPolicy(ABC):
    """Wraps the attempts of every call to one service.

    Only `CallExecutor` runs policies. It makes every call: the calls of composites, awaited
    calls, and streams. Policies add no cost to a service that has none.
    """

    @abstractmethod
    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        """Make the call with `await attempt()`, as often as the policy allows.

        `gateway.upstream.deadline.remaining()` returns the seconds left for all attempts
        together. The call is cancelled when that time has passed.

        Raises:
            UpstreamError: the call failed, or the policy did not allow it.
        """


def apply_policies(policies: Sequence[CallPolicy], call: Call, attempt: Attempt[R]) -> Awaitable[R]:
    """Make a call under `policies`, the first of which is the outermost."""
    for policy in reversed(policies):
        attempt = partial(policy, call, attempt)
    return attempt()
