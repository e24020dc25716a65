"""What one downstream service does in a test: a transport with a script."""

import asyncio
from collections.abc import AsyncIterator
from math import inf

import httpx


class ScriptedService(httpx.AsyncBaseTransport):
    """A service's part in a test; what is said last counts. At first it `behaves`.

    `requests` holds what it was asked, `cancelled` how many calls were given up by the caller.
    """

    def __init__(self, otherwise: httpx.AsyncBaseTransport) -> None:
        self.requests: list[httpx.Request] = []
        self.cancelled = 0
        self._otherwise = otherwise
        self.behaves()

    def behaves(self, *, after: float = 0) -> None:
        """Answer as the demo service does, so many seconds later."""
        self._play(after)

    def answers(self, json: object, *, status: int = 200, after: float = 0) -> None:
        """Answer with that JSON."""
        self._play(after, httpx.Response(status, json=json))

    def answers_with(self, content: bytes, *, content_type: str = "application/json") -> None:
        """Answer 200 with those bytes, sense or nonsense."""
        headers = {"content-type": content_type}
        self._play(0, httpx.Response(200, content=content, headers=headers))

    def fails(self, status: int, *, after: float = 0) -> None:
        """Answer with an error status."""
        self._play(after, httpx.Response(status, json={"status": status}))

    def loses_connection(self, *, after: float = 0) -> None:
        """Break off instead of answering."""
        self._play(after, error=httpx.ReadError)

    def hangs(self) -> None:
        """Never answer."""
        self._play(inf)

    def _play(
        self,
        delay: float,
        answer: httpx.Response | None = None,
        error: type[httpx.TransportError] | None = None,
    ) -> None:
        self._delay, self._answer, self._error = delay, answer, error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Play the script."""
        self.requests.append(request)
        try:
            await self._wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self._error:
            raise self._error("as scripted", request=request)
        if self._answer is None:
            return await self._otherwise.handle_async_request(request)
        script = self._answer
        return httpx.Response(
            script.status_code, headers=script.headers, stream=_Body(script.content)
        )

    async def _wait(self) -> None:
        if self._delay == inf:
            await asyncio.get_running_loop().create_future()
        else:
            await asyncio.sleep(self._delay)


class _Body(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
