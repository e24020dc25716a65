"""The seam where retry, circuit breaking, tracing and the like attach to the calls of a service."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from gateway.upstream.call import Call

R = TypeVar("R")

Attempt = Callable[[], Awaitable[R]]
"""Sends the request once, and gives the response.

It raises UpstreamError where there is none, or where its status is no success. The response is
a `RawResponse`, or a `StreamedResponse` whose body has not been read.
"""


class CallPolicy(ABC):
    """Something done around the attempts of every call to one service.

    `CallExecutor` is the only place that runs policies, and every call passes through it: those
    of composites, those that are awaited, and streams. A service without a policy pays nothing.
    """

    @abstractmethod
    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        """Make the call with `await attempt()`, as often as the policy allows.

        `gateway.upstream.deadline.remaining()` gives the seconds left for all attempts together.
        The call is cancelled when they have passed.

        Raises:
            UpstreamError: the call failed, or the policy did not allow it.
        """


def apply_policies(policies: Sequence[CallPolicy], call: Call, attempt: Attempt[R]) -> Awaitable[R]:
    """Make a call under `policies`, the first of which is the outermost."""
    for policy in reversed(policies):
        attempt = partial(policy, call, attempt)
    return attempt()
