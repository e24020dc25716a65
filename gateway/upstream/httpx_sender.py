"""The way from a typed client's request to a reply, over any of httpx's transports."""

import asyncio
from typing import NamedTuple, cast

import httpx

from gateway.transport.connection import Connection
from gateway.transport.raw_response import OnComplete, RawResponse
from gateway.transport.response_parser import select_headers
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.call import Call


class Bounds(NamedTuple):
    """What a service may take: seconds to be connected to, and bytes of a body."""

    connect_timeout: float
    max_body_bytes: int


class HttpxSender:
    """Carries requests to one service; it neither judges replies nor knows their types."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport, address: BaseUrl, bounds: Bounds
    ) -> None:
        self._transport = transport
        self._address = address
        self._bounds = bounds

    def begin(self, call: Call, ends_at: float, landed: OnComplete) -> Connection | None:
        """Send a request, if that needs no wait, and tell what came, by then on the loop's clock.

        What comes back is to be abandoned if nobody wants the answer any longer. None says that
        nothing was sent: it is for `fetch` to do.

        Raises:
            ValueError: the call cannot be written as a request.
        """
        return None  # over a transport of somebody else's one can never tell

    async def fetch(self, call: Call, seconds: float, *, fresh: bool) -> RawResponse:
        """Send a request and read its answer, all of it within so many seconds.

        `fresh` asks for a connection that has served nothing before.

        Raises:
            ValueError: the call cannot be written as a request.
            TimeoutError, httpx.TimeoutException: it took longer.
            httpx.RequestError: no answer came.
        """
        async with asyncio.timeout(seconds):
            response = await self._transport.handle_async_request(self._request(call))
            try:
                return await self._read(response)
            finally:
                await response.aclose()

    def _request(self, call: Call) -> httpx.Request:
        target, lines, body = call.written()
        return httpx.Request(
            call.method,
            self._address.url + target,
            headers=[_field(line) for line in lines.splitlines()],
            content=body,
            extensions={"timeout": {"connect": self._bounds.connect_timeout}},
        )

    async def _read(self, response: httpx.Response) -> RawResponse:
        status, head = response.status_code, response.headers.raw
        fields = select_headers(head)
        wanted = RawResponse(status, fields).max_body_to_read(self._bounds.max_body_bytes)
        # The stream itself: unlike `aiter_raw` it also gives what a mock has read already.
        stream = cast("httpx.AsyncByteStream", response.stream)
        body = bytearray()
        try:
            async for piece in stream:
                body += piece
                if len(body) > wanted:
                    break
        except httpx.RequestError as exc:
            return RawResponse(status, fields, bytes(body), exc, head)
        return RawResponse(status, fields, bytes(body), head=head)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value
