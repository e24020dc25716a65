"""A response whose body is read while it arrives."""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum
from inspect import isasyncgen
from typing import Self, cast

import httpx

from gateway.event_loop import TimeoutAfterPendingIo
from gateway.upstream.call import Call
from gateway.upstream.error_mapping import map_error
from gateway.upstream.errors import UpstreamTimeout, UpstreamUnavailable


class StreamState(Enum):
    """How far the body has been read."""

    OPEN = "open"
    COMPLETE = "complete"
    FAILED = "failed"
    CLOSED = "closed"


class StreamedResponse:
    """Status, header fields, and the body piece by piece: `async for piece in response`.

    The transport reads no further than the consumer: a consumer that is slow makes the service
    wait (backpressure). Nothing of the body is kept. `ServiceClient.stream` closes the response.
    """

    # A consumer takes the end of the iteration for the end of the body. So the iteration ends
    # only when the body is COMPLETE; when a wait for a piece has failed or was cancelled (FAILED),
    # or after the block (CLOSED), reading on is an error.

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

    def __repr__(self) -> str:
        """The service, the operation, the status, and how far the body has been read."""
        operation = self._call.operation
        return f"<StreamedResponse {self._service} {operation} {self.status} {self._state.value}>"

    @property
    def is_compressed(self) -> bool:
        """Whether there is a body that has a content coding (RFC 9110, 8.4)."""
        has_body = self._call.method != "HEAD" and self.status != 204
        return has_body and self.headers.get("content-encoding", "identity").lower() != "identity"

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
            UpstreamUnavailable: the body broke off, now or at an earlier piece.
            RuntimeError: the response is closed.
        """
        if self._state is not StreamState.OPEN:
            raise self._no_more()
        if self._pieces is None:
            # The stream itself: unlike `aiter_raw` it also gives what a mock has read already.
            self._pieces = aiter(cast("httpx.AsyncByteStream", self._response.stream))
        try:
            async with TimeoutAfterPendingIo(self._remaining()):
                while not (piece := await anext(self._pieces)):
                    pass  # a transport may give an empty piece for a body that is empty
        except StopAsyncIteration:
            self._state = StreamState.COMPLETE
            raise
        except BaseException as exc:
            # Cancelled too: the iterator of the transport has ended with that.
            self._state = StreamState.FAILED
            operation = self._call.operation
            if isinstance(exc, TimeoutError):
                raise UpstreamTimeout(self._service, operation, "the deadline passed") from exc
            if isinstance(exc, httpx.RequestError):
                raise map_error(self._service, operation, exc, self._idle_timeout) from exc
            raise
        return piece

    def _remaining(self) -> float | None:
        """Seconds until the deadline, 0 if it has passed; None if there is none."""
        if self._ends_at is None:
            return None
        return max(0.0, self._ends_at - asyncio.get_running_loop().time())

    def _no_more(self) -> Exception:
        if self._state is StreamState.COMPLETE:
            return StopAsyncIteration()
        operation = self._call.operation
        if self._state is StreamState.FAILED:
            return UpstreamUnavailable(self._service, operation, "the body broke off earlier")
        return RuntimeError(f"the response of {operation} is closed: read it inside the block")

    async def aclose(self) -> None:
        """Close the response; a body that was not read to its end closes its connection."""
        self._state = StreamState.CLOSED
        pieces, self._pieces = self._pieces, None
        try:
            if isasyncgen(pieces):
                await pieces.aclose()
        finally:
            await self._response.aclose()
