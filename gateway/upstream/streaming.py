"""Streamed responses: the body is read while it arrives."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from inspect import isasyncgen
from typing import Self, cast

import httpx

from gateway.pending_io import TimeoutAfterPendingIo
from gateway.upstream.call import Call
from gateway.upstream.content_decoding import ContentDecoder, NotDecodable
from gateway.upstream.error_mapping import map_error
from gateway.upstream.errors import UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable


class StreamState(Enum):
    """The state of the body of a streamed response."""

    OPEN = "open"
    COMPLETE = "complete"
    FAILED = "failed"
    CLOSED = "closed"


class StreamedResponse:
    """The status, header fields, and body of a response: `async for piece in response`.

    A slow consumer slows the service down (backpressure): the transport stops reading if the body
    is not consumed. The response does not store the body. `ServiceClient.stream` closes it.
    """

    # A consumer takes the end of the iteration for the end of the body, so the iteration ends
    # only when the body is COMPLETE. Reading raises an error after a wait for a piece has failed
    # or was cancelled (FAILED), and after the block (CLOSED).

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
        self._state = StreamState.OPEN
        self._pieces: AsyncIterator[bytes] | None = None
        self._decoder: ContentDecoder | None = None
        self._decoded: Iterator[bytes] = iter(())

    def __repr__(self) -> str:
        """Show the service, the operation, the status, and the state of the body."""
        operation = self._call.operation
        return f"<StreamedResponse {self._service} {operation} {self.status} {self._state.value}>"

    @property
    def is_compressed(self) -> bool:
        """Whether the response has a body with a content coding (RFC 9110, 8.4)."""
        has_body = self._call.method != "HEAD" and self.status != 204
        return has_body and self.headers.get("content-encoding", "identity").lower() != "identity"

    def decode_content(self) -> None:
        """Decode the content codings of the body while it is read.

        `headers` has the fields of the decoded body from then on.

        Raises:
            UpstreamInvalid: a coding is unknown.
        """
        try:
            self._decoder = ContentDecoder(self.headers["content-encoding"], None)
        except NotDecodable as exc:
            raise self._invalid(exc) from None
        self.headers = self.headers.copy()
        del self.headers["content-encoding"]
        self.headers.pop("content-length", None)

    def set_deadline(self, ends_at: float | None) -> None:
        """Set the deadline of the whole body, a time of the event loop's clock; None sets none."""
        self._ends_at = ends_at

    def __aiter__(self) -> Self:
        """Return the response; its body can be read once."""
        return self

    async def __anext__(self) -> bytes:
        """Wait for the next piece of the body, and return it; it is not empty.

        Raises:
            UpstreamTimeout: no piece arrived within the idle timeout, or the deadline passed.
            UpstreamUnavailable: the body was cut off, or an earlier read failed.
            UpstreamInvalid: the content coding of the body is corrupt.
            RuntimeError: the response is closed.
        """
        while self._state is StreamState.OPEN:
            if piece := self._next_decoded() or await self._receive():
                return piece
        raise self._no_more()

    def _next_decoded(self) -> bytes:
        """Return the next piece that is decoded already; b"" if there is none."""
        try:
            return next(filter(None, self._decoded), b"")
        except NotDecodable as exc:
            self._state = StreamState.FAILED
            raise self._invalid(exc) from None

    async def _receive(self) -> bytes:
        """Wait for the next piece; with a content coding return b"", and decode it later."""
        piece = await self._receive_raw()
        if self._decoder is None:
            return piece
        self._decoded = self._decoder.decode(piece)
        return b""

    async def _receive_raw(self) -> bytes:
        if self._pieces is None:
            # Not `aiter_raw`: the stream also yields a body that a mock transport has read already.
            self._pieces = aiter(cast("httpx.AsyncByteStream", self._response.stream))
        try:
            async with TimeoutAfterPendingIo(self._remaining()):
                while not (piece := await anext(self._pieces)):
                    pass  # a transport may yield an empty piece for an empty body
        except StopAsyncIteration:
            self._finish()
            raise
        except BaseException as exc:
            # Also on cancellation: it ends the iterator of the transport.
            self._state = StreamState.FAILED
            operation = self._call.operation
            if isinstance(exc, TimeoutError):
                raise UpstreamTimeout(self._service, operation, "the deadline passed") from exc
            if isinstance(exc, httpx.RequestError):
                raise map_error(self._service, operation, exc, self._idle_timeout) from exc
            raise
        return piece

    def _finish(self) -> None:
        self._state = StreamState.COMPLETE
        if self._decoder is not None:
            try:
                self._decoder.finish()
            except NotDecodable as exc:
                self._state = StreamState.FAILED
                raise self._invalid(exc) from None

    def _invalid(self, error: NotDecodable) -> UpstreamInvalid:
        return UpstreamInvalid(self._service, self._call.operation, str(error))

    def _remaining(self) -> float | None:
        """Return the seconds until the deadline, 0 if it has passed; None if there is none."""
        if self._ends_at is None:
            return None
        return max(0.0, self._ends_at - asyncio.get_running_loop().time())

    def _no_more(self) -> Exception:
        if self._state is StreamState.COMPLETE:
            return StopAsyncIteration()
        operation = self._call.operation
        if self._state is StreamState.FAILED:
            return UpstreamUnavailable(self._service, operation, "the body was cut off earlier")
        return RuntimeError(f"the response of {operation} is closed: read it inside the block")

    async def aclose(self) -> None:
        """Close the response, and its connection if the body was not read to its end."""
        self._state = StreamState.CLOSED
        pieces, self._pieces = self._pieces, None
        try:
            if isasyncgen(pieces):
                await pieces.aclose()
        finally:
            await self._response.aclose()
