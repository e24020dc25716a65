"""One endpoint of a scripted service, with a script of its own."""

from collections.abc import Sequence
from typing import Any

from gateway.testing.received_request import ReceivedRequest, RequestPattern
from gateway.testing.script import Script, ScriptMethods, Step, Then


class ScriptedEndpoint(ScriptMethods["ScriptedEndpoint"]):
    """The endpoint that `ScriptedService.on` returns.

    `requests` are the requests that its pattern matched. An endpoint without a script only
    records them; the service responds as if there were no such endpoint.
    """

    def __init__(self, pattern: RequestPattern) -> None:
        self.pattern = pattern
        self.requests: list[ReceivedRequest] = []
        self.script = Script()

    def __repr__(self) -> str:
        """Show the pattern and the number of requests."""
        return f"<ScriptedEndpoint {self.pattern}: {len(self.requests)} requests>"

    @property
    def called(self) -> bool:
        """Whether a request has matched."""
        return bool(self.requests)

    @property
    def sent_json(self) -> Sequence[Any]:
        """The JSON body of each request.

        Raises:
            ValueError: a body is not JSON.
        """
        return [request.json() for request in self.requests]

    @property
    def then(self) -> Then["ScriptedEndpoint"]:
        """Script the response to the request after the last one that is scripted."""
        return Then(self, self.script)

    def _add(self, step: Step) -> "ScriptedEndpoint":
        self.script.replace(step)
        return self
