"""A service behind proxied routes, over any httpx transport."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import cast

import httpx

from gateway.http1_grammar import MAX_LENGTH_DIGITS, FieldList
from gateway.pending_io import TimeoutAfterPendingIo
from gateway.proxy.upstream.proxy_upstream import ProxyUpstream, ServiceRequest, ServiceResponse
from gateway.proxy.upstream.request_framing import build_framing
from gateway.proxy.upstream.upload import BodyNotRead, BodyTimeout, Upload
from gateway.upstream.base_url import BaseUrl

_LENGTH = re.compile(rf"[0-9]{{1,{MAX_LENGTH_DIGITS}}}")


class HttpxUpstream(ProxyUpstream):
    """Sends requests as httpx requests; the transport decides when it reads the response.

    For what httpx's own transport lacks see `docs/decisions/proxy-streaming.md`.
    """

    def __init__(
        self, transport: httpx.AsyncBaseTransport, base_url: BaseUrl, connect_timeout: float
    ) -> None:
        self._transport = transport
        self._base_url = base_url
        self._connect_timeout = connect_timeout

    async def send(self, request: ServiceRequest) -> ServiceResponse:
        """Send a request and wait for the head of its response."""
        timeouts: dict[str, float] = {"connect": self._connect_timeout}
        if not request.is_whole:
            timeouts |= {"pool": request.timeout, "write": request.idle_timeout}
            timeouts["read"] = request.timeout
        httpx_request = self._build_request(request, timeouts)
        # The time that the caller needs to send its body does not count.
        seconds = request.timeout if request.is_whole else None
        try:
            async with TimeoutAfterPendingIo(seconds):
                response = await self._transport.handle_async_request(httpx_request)
        except httpx.WriteTimeout:
            raise BodyNotRead from None
        # Set after the head: transports look up the read timeout each time they read the body.
        timeouts["read"] = request.idle_timeout
        return await HttpxResponse.read(response)

    def _build_request(self, request: ServiceRequest, timeouts: dict[str, float]) -> httpx.Request:
        origin = self._base_url.origin
        url = httpx.URL(
            scheme=origin.scheme,
            netloc=self._base_url.host.encode(),
            raw_path=request.target,
        )
        return httpx.Request(
            request.method,
            url,
            headers=[*request.fields, *build_framing(request)],
            stream=_open_stream(request),
            extensions={"timeout": timeouts, "target": request.target},
        )


def _open_stream(request: ServiceRequest) -> httpx.AsyncByteStream | None:
    upload = request.upload
    if upload is None:
        return None
    if upload.content is not None:
        return httpx.ByteStream(upload.content)
    return _UploadStream(upload, request.idle_timeout)


class _UploadStream(httpx.AsyncByteStream):
    """The body of a request as httpx reads it; each piece takes at most `idle_timeout` seconds."""

    def __init__(self, upload: Upload, idle_timeout: float) -> None:
        self._upload = upload
        self._idle_timeout = idle_timeout

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._upload.has_more:
            if piece := await self._receive():
                self._upload.slot.add_bytes(len(piece))
                yield piece

    async def _receive(self) -> bytes:
        timeout = asyncio.timeout(self._idle_timeout)
        try:
            async with timeout:
                return await self._upload.receive()
        except TimeoutError:
            if timeout.expired():
                raise BodyTimeout from None
            raise


class HttpxResponse(ServiceResponse):
    """A response of an httpx transport, whose stream has the body without its framing."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.fields = response.headers.raw
        self.body = None
        self.trailers: FieldList = []
        self.is_complete = False
        self._response = response
        # Not `aiter_raw`: the stream also yields a body that a mock transport has read already.
        self._pieces = aiter(cast("httpx.AsyncByteStream", response.stream))

    @classmethod
    async def read(cls, response: httpx.Response) -> "HttpxResponse":
        """Return a response; its body is whole if the transport has received it already.

        Raises:
            httpx.RemoteProtocolError: the Content-Length is not one number of bytes.
        """
        lengths = response.headers.get_list("content-length")
        if not all(map(_LENGTH.fullmatch, lengths)) or len(lengths) > 1:
            await response.aclose()
            raise httpx.RemoteProtocolError("Content-Length is not one number of bytes")
        found = cls(response)
        if isinstance(response.stream, httpx.ByteStream):
            found.body = b"".join([piece async for piece in response.stream])
            found.is_complete = True
        return found

    async def receive(self) -> bytes | None:
        """Return the next piece of the body; None at its end."""
        async for piece in self._pieces:
            if piece:
                return piece
        self.is_complete = True
        return None

    def detach(self) -> None:
        """Do nothing: an httpx transport counts a connection as long as it is in use."""

    async def aclose(self) -> None:
        """Close the response, and its connection if the body has not been read to its end."""
        await self._response.aclose()
