"""The errors of calls to downstream services.

UpstreamError
├── UpstreamTimeout        the service did not respond in time
├── UpstreamUnavailable    the service was unreachable, cut off its response, or sent 5xx or 429
├── UpstreamRefused        the service responded with 3xx or 4xx: a retry would fail again
│   └── UpstreamProblem    the gateway responds with the same status (`problem.py`)
└── UpstreamInvalid        the response is not of the type that its client declares

InvalidArgument is raised before anything is sent: a value given to a client method cannot be sent.
"""

from typing import ClassVar, Literal, TypeVar

import httpx

from gateway.transport.raw_response import MAX_ERROR_BODY_BYTES, RawResponse
from gateway.upstream.content_decoding import NotDecodable, decode_content
from gateway.upstream.decoding import decode

T = TypeVar("T")

UpstreamReason = Literal["timeout", "unavailable", "refused", "invalid"]


class UpstreamError(Exception):
    """A failed call to a downstream service.

    `service` is its name, and `operation` the method and the path template of the call. `reason`
    is "timeout", "unavailable", "refused" or "invalid". `status` is that of the response, None
    without one. `retry_after` is in seconds, None if the service does not say. `detail` is for
    the log. It never quotes the body.
    """

    reason: ClassVar[UpstreamReason]

    def __init__(
        self,
        service: str,
        operation: str,
        detail: str = "",
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(service, operation, detail)
        self.service = service
        self.operation = operation
        self.detail = detail
        self.status = status
        self.retry_after = retry_after

    def __str__(self) -> str:
        """Return service, operation, reason and detail on one line."""
        return f"{self.service} {self.operation}: {self.reason}" + (
            f" ({self.detail})" if self.detail else ""
        )


class UpstreamTimeout(UpstreamError):
    """The service did not respond in time."""

    reason = "timeout"


class UpstreamUnavailable(UpstreamError):
    """The service was unreachable, cut off its response, or responded with 5xx or 429."""

    reason = "unavailable"


class UpstreamRefused(UpstreamError):
    """The service responded with 3xx or 4xx: a retry would fail again.

    The body may hold confidential data: neither the log nor the response of the gateway has it.
    """

    reason = "refused"

    def __init__(
        self,
        service: str,
        operation: str,
        detail: str = "",
        *,
        status: int | None = None,
        response: RawResponse | None = None,
    ) -> None:
        super().__init__(service, operation, detail, status=status)
        self.response = response

    @property
    def body(self) -> bytes:
        """The body of the response, at most 16 KiB; empty for a streamed response.

        A body with a content coding is decoded; it is empty if that fails.
        """
        if self.response is None:
            return b""
        try:
            body, codings = self.response.body, self.response.header(b"content-encoding")
            return decode_content(codings, body, MAX_ERROR_BODY_BYTES)[:MAX_ERROR_BODY_BYTES]
        except NotDecodable:
            return b""

    @property
    def headers(self) -> httpx.Headers:
        """All header fields of the response, such as `Location`; none for a streamed response."""
        return httpx.Headers() if self.response is None else self.response.headers

    def decode(self, into: type[T]) -> T:
        """Decode the JSON body, for example to find out which problem it describes.

        Raises:
            UpstreamInvalid: the body is empty, larger than 16 KiB, not JSON, or not of that type.
        """
        try:
            return _decode_refusal(into, self.response)
        except NotDecodable as exc:
            detail = f"the body of status {self.status}: {exc}"
            raise UpstreamInvalid(self.service, self.operation, detail, status=self.status) from exc


def _decode_refusal(into: type[T], response: RawResponse | None) -> T:
    if response is None:
        raise NotDecodable("the body was not read")
    if len(response.body) > MAX_ERROR_BODY_BYTES:
        raise NotDecodable(f"the body is larger than {MAX_ERROR_BODY_BYTES} bytes")
    if response.error is not None:
        raise NotDecodable("the body was cut off")
    return decode(into, response, MAX_ERROR_BODY_BYTES)


class UpstreamInvalid(UpstreamError):
    """The response is not of the type that its client declares."""

    reason = "invalid"


class InvalidArgument(ValueError):
    """A value given to a typed client that no request can carry, such as ".." as a path segment.

    The gateway responds with 422, because such values come from its caller. A mistake in the code
    of the client, such as a placeholder without a value, is a plain ValueError and a 500.

    `name` is the name of the value in the call. `reason` never quotes the value.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        """Return name and reason on one line."""
        return f"{self.name}: {self.reason}"
