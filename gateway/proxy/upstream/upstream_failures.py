"""The errors of proxied requests: what went wrong on the side of the service, or of the caller."""

from starlette.exceptions import HTTPException
from starlette.types import Scope

from gateway.errors.tree import ContentTooLarge
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.upstream.upload import BodyNotRead, BodyTimeout
from gateway.request_context import RequestContext
from gateway.transport.response_parser import MalformedResponse
from gateway.upstream.error_mapping import CALL_FAILURES as UPSTREAM_FAILURES
from gateway.upstream.error_mapping import is_malformed_for_httpx, map_error
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
)

__all__ = [
    "IDLE_TIMEOUT", "STREAM_FAILURES", "TIMEOUT", "TOTAL_TIMEOUT", "UPSTREAM_FAILURES",
    "FailureMapper", "RequestTimeout",
]  # fmt: skip

STREAM_FAILURES = (*UPSTREAM_FAILURES, ContentTooLarge)
"""The failures once the response has begun: the body of the request may still be arriving."""

TIMEOUT = "timeout"
IDLE_TIMEOUT = "idle_timeout"
TOTAL_TIMEOUT = "total_timeout"


class RequestTimeout(HTTPException):
    """The caller did not send its body in time (RFC 9110, 15.5.9); the connection is closed."""

    def __init__(self, detail: str, limit: str) -> None:
        super().__init__(408, detail, headers={"Connection": "close"})
        self._limit = limit

    def __str__(self) -> str:
        """Return the detail and the name of the timeout, for the log."""
        return f"{self.detail.rstrip('.')} ({self._limit})"


class FailureMapper:
    """Maps STREAM_FAILURES of the requests to one proxied route.

    `timeout` is the effective timeout of the head, in seconds.
    """

    def __init__(self, proxy: Proxy, timeout: float) -> None:
        self.service = proxy.to
        self._path = proxy.path
        self._seconds = {
            TIMEOUT: timeout,
            IDLE_TIMEOUT: proxy.idle_timeout,
            TOTAL_TIMEOUT: proxy.total_timeout or 0.0,
        }

    def refuse(self, method: str, detail: str, status: int) -> UpstreamError:
        """Return the error for a response that is a refusal of the gateway."""
        return UpstreamRefused(self.service, f"{method} {self._path}", detail, status=status)

    def map(
        self, scope: Scope, error: Exception, limit: str
    ) -> UpstreamError | RequestTimeout | ContentTooLarge:
        """Map an error; log it if it is the caller's. A malformed response is invalid.

        `limit` is the timeout that applied: TIMEOUT, IDLE_TIMEOUT or TOTAL_TIMEOUT.
        """
        operation = f"{scope['method']} {self._path}"
        if isinstance(error.__cause__, MalformedResponse):
            return UpstreamInvalid(self.service, operation, str(error.__cause__))
        if is_malformed_for_httpx(error):
            # Its message may quote the response.
            return UpstreamInvalid(self.service, operation, "the response is not valid HTTP/1.1")
        if isinstance(error, ContentTooLarge):
            return ContentTooLarge()
        if isinstance(error, BodyTimeout):
            failure = self._build_request_timeout(limit)
            RequestContext.of(scope).log_fields["error"] = str(failure)
            return failure
        if isinstance(error, BodyNotRead):
            given = f"{self._seconds[IDLE_TIMEOUT]:.3g} s given ({IDLE_TIMEOUT})"
            detail = f"the service does not read the request body, {given}"
            return UpstreamTimeout(self.service, operation, detail)
        return map_error(self.service, operation, error, self._seconds[limit], limit)

    def _build_request_timeout(self, limit: str) -> RequestTimeout:
        if limit == TOTAL_TIMEOUT:
            seconds = self._seconds[TOTAL_TIMEOUT]
            return RequestTimeout(f"The request body did not arrive within {seconds:.3g} s.", limit)
        seconds = self._seconds[IDLE_TIMEOUT]
        text = f"No byte of the request body arrived within {seconds:.3g} s."
        return RequestTimeout(text, IDLE_TIMEOUT)
