"""Makes the calls of one client: within their time, from a request to a value or an error."""

from typing import TypeVar

import httpx

from gateway.transport.raw_response import RawResponse
from gateway.upstream.call import Call
from gateway.upstream.deadline import remaining
from gateway.upstream.decoding import NotDecodable, decode
from gateway.upstream.error_mapping import refusal
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream.httpx_sender import HttpxSender

T = TypeVar("T")

FAILURES = (TimeoutError, httpx.RequestError, NotDecodable)


class CallExecutor:
    """`service` is what errors call it; `timeout` is in seconds, for a call that says none."""

    def __init__(
        self, service: str, channel: HttpxSender, timeout: float, max_body_bytes: int
    ) -> None:
        self.channel = channel
        self._service = service
        self._timeout = timeout
        self._max_body_bytes = max_body_bytes

    async def make(self, call: Call, into: type[T], *, fresh: bool) -> T:
        """Make a call, over a connection that is `fresh` if need be.

        Raises:
            UpstreamError: no answer, or none that is an `into`.
            ValueError: the call cannot be written as a request.
        """
        seconds = self.seconds(call, remaining())
        if not seconds:
            raise UpstreamTimeout(self._service, call.operation, "no time was left")
        try:
            return self.value(call, await self.channel.fetch(call, seconds, fresh=fresh), into)
        except FAILURES as exc:
            raise self.failure(call, exc, seconds) from exc

    def seconds(self, call: Call, left: float | None) -> float:
        """How long a call may take where so many seconds are left."""
        seconds = self._timeout if call.timeout is None else call.timeout
        return seconds if left is None or left > seconds else left

    def value(self, call: Call, reply: RawResponse, into: type[T]) -> T:
        """What a reply says.

        Raises:
            UpstreamError: it is a refusal.
            httpx.RequestError, NotDecodable: it was cut off, or is no `into`; see `failure`.
        """
        status, selected, body, cut, _ = reply
        if not 200 <= status < 300:
            raise refusal(self._service, call.operation, reply)
        if reply.is_compressed:
            raise NotDecodable("the body is compressed")
        if len(body) > self._max_body_bytes:
            raise NotDecodable(f"the body is larger than {self._max_body_bytes} bytes")
        if cut is not None:
            # Anew: its own trace would hold the reply, and the reply holds it.
            raise type(cut)(str(cut))
        return decode(into, selected.get(b"content-type", b""), body)

    def failure(self, call: Call, exc: Exception, seconds: float) -> UpstreamError:
        """One of the `FAILURES` of a call that had so many seconds, as who called tells it."""
        kind = type(exc).__name__
        if isinstance(exc, NotDecodable):
            return UpstreamInvalid(self._service, call.operation, str(exc))
        if isinstance(exc, TimeoutError | httpx.TimeoutException):
            detail = f"{kind}, {seconds:.3g} s given"
            return UpstreamTimeout(self._service, call.operation, detail)
        return UpstreamUnavailable(self._service, call.operation, kind)
