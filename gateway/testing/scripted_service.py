"""A scripted downstream service: an httpx transport that responds as the test says."""

import asyncio
from collections.abc import AsyncIterator
from math import inf

import httpx


class ScriptedService(httpx.AsyncBaseTransport):
    """A downstream service in a test. Each call of a script method replaces the script before.

    The first script is `behaves()`. `requests` has the requests received, `cancelled` the number
    of calls that the gateway cancelled. Times are in seconds.
    """

    def __init__(self, default: httpx.AsyncBaseTransport) -> None:
        self.requests: list[httpx.Request] = []
        self.cancelled = 0
        self._default = default
        self.behaves()

    def behaves(self, *, after: float = 0) -> None:
        """Respond as the demo service does, after a delay."""
        self._set_script(after)

    def answers(self, json: object, *, status: int = 200, after: float = 0) -> None:
        """Respond with this JSON."""
        self._set_script(after, httpx.Response(status, json=json))

    def answers_with(self, content: bytes, *, content_type: str = "application/json") -> None:
        """Respond with 200 and these bytes, which may be malformed."""
        headers = {"content-type": content_type}
        self._set_script(0, httpx.Response(200, content=content, headers=headers))

    def fails(self, status: int, *, after: float = 0) -> None:
        """Respond with an error status."""
        self._set_script(after, httpx.Response(status, json={"status": status}))

    def loses_connection(self, *, after: float = 0) -> None:
        """Close the connection without a response."""
        self._set_script(after, error=httpx.ReadError)

    def hangs(self) -> None:
        """Never respond."""
        self._set_script(inf)

    def _set_script(
        self,
        delay: float,
        response: httpx.Response | None = None,
        error: type[httpx.TransportError] | None = None,
    ) -> None:
        self._delay, self._response, self._error = delay, response, error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Record the request and respond as the script says."""
        self.requests.append(request)
        try:
            await self._sleep()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self._error:
            raise self._error("the script closes the connection", request=request)
        if self._response is None:
            return await self._default.handle_async_request(request)
        response = self._response
        return httpx.Response(
            response.status_code, headers=response.headers, stream=_Body(response.content)
        )

    async def _sleep(self) -> None:
        if self._delay == inf:
            await asyncio.get_running_loop().create_future()
        else:
            await asyncio.sleep(self._delay)


class _Body(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
