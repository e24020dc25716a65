"""A scripted downstream service: an httpx transport that responds as the test says."""

import asyncio
import math
from collections.abc import Mapping

import httpx

from gateway.testing.received_request import ANY_BODY, ReceivedRequest, RequestPattern
from gateway.testing.script import Script, ScriptMethods, Step, Then
from gateway.testing.scripted_endpoint import ScriptedEndpoint
from gateway.upstream.query import Params


class UnexpectedRequest(AssertionError):
    """A request to a service that is scripted by endpoint, but not for this request."""


class ScriptedService(ScriptMethods["ScriptedService"], httpx.AsyncBaseTransport):
    """A downstream service in a test.

    `on` scripts one endpoint. The script methods of the service itself are for every request to
    which no endpoint with a script of its own responds. Each call of a script method replaces the
    script before; `then` continues it.

    `requests` has the requests received, `cancelled` the number of calls that the gateway
    cancelled. `base_path` is the path of the address of the service; endpoints are below it.
    """

    def __init__(
        self, default: httpx.AsyncBaseTransport, *, name: str = "", base_path: str = ""
    ) -> None:
        self.name = name
        self.base_path = base_path
        self.requests: list[ReceivedRequest] = []
        self.cancelled = 0
        self.unexpected: list[UnexpectedRequest] = []
        self._default = default
        self._script = Script()
        self._endpoints: list[ScriptedEndpoint] = []

    def on(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = ANY_BODY,
    ) -> ScriptedEndpoint:
        """Return the endpoint of these requests (see `RequestPattern`).

        Equal arguments return the same endpoint. If several endpoints match a request, the one
        that was created last responds.

        Raises:
            ValueError: `path` is not a path.
        """
        pattern = RequestPattern(method, path, params or {}, headers or {}, json)
        for known in self._endpoints:
            if known.pattern == pattern:
                return known
        endpoint = ScriptedEndpoint(pattern)
        self._endpoints.append(endpoint)
        return endpoint

    @property
    def then(self) -> Then["ScriptedService"]:
        """Script the response to the request after the last one that is scripted."""
        return Then(self, self._script)

    def _add(self, step: Step) -> "ScriptedService":
        self._script.replace(step)
        return self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Record the request and respond as the script says.

        Raises:
            UnexpectedRequest: no script matches it.
        """
        received = await self._receive(request)
        step = self._take_step(received)
        try:
            await _sleep(step.delay)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if step.respond is None:
            return await self._default.handle_async_request(self._strip_base_path(request))
        return step.respond(received)

    def _strip_base_path(self, request: httpx.Request) -> httpx.Request:
        """Return the request as a fake expects it: with the path of the typed client."""
        if not self.base_path:
            return request
        target = request.url.raw_path.removeprefix(self.base_path.encode())
        url = request.url.copy_with(raw_path=target)
        return httpx.Request(request.method, url, headers=request.headers, content=request.content)

    async def _receive(self, request: httpx.Request) -> ReceivedRequest:
        path = request.url.raw_path.decode("ascii").partition("?")[0].removeprefix(self.base_path)
        content = await request.aread()
        received = ReceivedRequest(request.method, request.url, path, request.headers, content)
        self.requests.append(received)
        return received

    def _take_step(self, request: ReceivedRequest) -> Step:
        """Return the step of the last endpoint that matches, or else that of the service."""
        matching = [endpoint for endpoint in self._endpoints if endpoint.pattern.matches(request)]
        for endpoint in matching:
            endpoint.requests.append(request)
        scripts = [endpoint.script for endpoint in matching if not endpoint.script.is_empty]
        if scripts:
            return scripts[-1].take_step()
        if not self._script.is_empty:
            return self._script.take_step()
        scripted = [endpoint for endpoint in self._endpoints if not endpoint.script.is_empty]
        if not scripted:
            return Step()
        error = self._describe_unexpected(request, scripted)
        self.unexpected.append(error)
        raise error

    def _describe_unexpected(
        self, request: ReceivedRequest, scripted: list[ScriptedEndpoint]
    ) -> UnexpectedRequest:
        known = "".join(f"\n  {endpoint.pattern}" for endpoint in scripted)
        return UnexpectedRequest(
            f"the service {self.name} received {request}, and no script matches it.\n"
            f"The scripted endpoints are:{known}\n"
            f'Script it with service("{self.name}").on("{request.method}", "{request.path}"), or '
            f'script all other requests, for example with service("{self.name}").fails(404).'
        )


async def _sleep(seconds: float) -> None:
    if seconds == math.inf:
        await asyncio.get_running_loop().create_future()
    else:
        await asyncio.sleep(seconds)
