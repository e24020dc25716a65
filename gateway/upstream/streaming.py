"""A response whose body is read while it arrives."""

import asyncio
from collections.abc import AsyncIterator
from inspect import isasyncgen
from typing import Self, cast

import httpx

from gateway.upstream.call import Call
from gateway.upstream.error_mapping import map_error


class StreamedResponse:
    """Status, header fields, and the body piece by piece: `async for piece in response`.

    The transport reads no further than the consumer: a consumer that is slow makes the service
    wait (backpressure). Nothing of the body is kept. `ServiceClient.stream` closes the response.
    """

    def __init__(
        self, service: str, call: Call, response: httpx.Response, idle_timeout: float
    ) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._service = service
        self._call = call
        self._response = response
        self._idle_timeout = idle_timeout
        self._ends_at: float | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    def __repr__(self) -> str:
        """The service, the operation and the status."""
        return f"<StreamedResponse {self._service} {self._call.operation} {self.status}>"

    def set_deadline(self, ends_at: float | None) -> None:
        """End the whole body at that time of the event loop's clock; None sets no end."""
        self._ends_at = ends_at

    def __aiter__(self) -> Self:
        """The body can be read once."""
        return self

    async def __anext__(self) -> bytes:
        """The next piece of the body, of any size, as it arrives.

        Raises:
            UpstreamTimeout: no piece arrived within the idle time-out, or the deadline passed.
            UpstreamUnavailable: the body broke off.
        """
        if self._pieces is None:
            # The stream itself: unlike `aiter_raw` it also gives what a mock has read already.
            self._pieces = aiter(cast("httpx.AsyncByteStream", self._response.stream))
        try:
            async with asyncio.timeout_at(self._ends_at):
                return await anext(self._pieces)
        except (TimeoutError, httpx.RequestError) as exc:
            raise map_error(self._service, self._call.operation, exc, self._idle_timeout) from exc

    async def aclose(self) -> None:
        """Close the response; a body that was not read to its end closes its connection."""
        pieces, self._pieces = self._pieces, None
        if isasyncgen(pieces):
            await pieces.aclose()
        await self._response.aclose()
