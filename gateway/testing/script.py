"""Scripts: what a scripted service does with the requests it receives, one step each."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

from gateway.testing.received_request import ReceivedRequest

T = TypeVar("T")
Headers = Mapping[str, str]

Respond = Callable[[ReceivedRequest], httpx.Response]


@dataclass(frozen=True, slots=True)
class Step:
    """The reaction to one request: a delay in seconds, then a response or an error.

    `respond` raises the error. If it is None, the default of the service responds.
    """

    delay: float = 0
    respond: Respond | None = None


class Script:
    """A sequence of steps, one for each request; the last step repeats."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._taken = 0

    @property
    def is_empty(self) -> bool:
        """Whether no step has been set."""
        return not self._steps

    def replace(self, step: Step) -> None:
        """Start a new sequence with this step."""
        self._steps, self._taken = [step], 0

    def append(self, step: Step) -> None:
        """Add a step to the end of the sequence."""
        self._steps.append(step)

    def take_step(self) -> Step:
        """Return the step for the next request."""
        step = self._steps[min(self._taken, len(self._steps) - 1)]
        self._taken += 1
        return step


class ScriptMethods(ABC, Generic[T]):
    """The methods that script a response; each returns an object of type `T`, to go on with.

    Times are in seconds. `headers` are added to the response.
    """

    @abstractmethod
    def _add(self, step: Step) -> T:
        """Add a step to the script."""

    def behaves(self, *, after: float = 0) -> T:
        """Respond as without a script, after a delay."""
        return self._add(Step(after))

    def answers(
        self, json: object, *, status: int = 200, headers: Headers | None = None, after: float = 0
    ) -> T:
        """Respond with this JSON."""
        return self._add(Step(after, lambda _: httpx.Response(status, headers=headers, json=json)))

    def answers_by(
        self, build: Callable[[ReceivedRequest], object], *, status: int = 200, after: float = 0
    ) -> T:
        """Respond with the JSON that `build` returns for the request."""
        return self._add(Step(after, lambda request: httpx.Response(status, json=build(request))))

    def answers_with(
        self,
        content: bytes,
        *,
        status: int = 200,
        content_type: str = "application/json",
        headers: Headers | None = None,
        after: float = 0,
    ) -> T:
        """Respond with these bytes, which may be malformed or empty."""
        fields = {"content-type": content_type, **(headers or {})}
        return self._add(
            Step(after, lambda _: httpx.Response(status, headers=fields, content=content))
        )

    def fails(self, status: int, *, headers: Headers | None = None, after: float = 0) -> T:
        """Respond with an error status."""
        return self.answers({"status": status}, status=status, headers=headers, after=after)

    def loses_connection(self, *, after: float = 0) -> T:
        """Close the connection without a response."""
        return self._add(Step(after, _close))

    def hangs(self) -> T:
        """Never respond."""
        return self._add(Step(math.inf))


class Then(ScriptMethods[T]):
    """Appends a step to a script: `fails(503).then.answers([])`."""

    def __init__(self, owner: T, script: Script) -> None:
        self._owner = owner
        self._script = script

    def _add(self, step: Step) -> T:
        self._script.append(step)
        return self._owner


def _close(_: ReceivedRequest) -> httpx.Response:
    raise httpx.ReadError("the script closes the connection")
