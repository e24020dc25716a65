"""The errors of proxied requests: what went wrong on the side of the service."""

from gateway.proxy.declaration.proxy import Proxy
from gateway.transport.response_parser import MalformedResponse
from gateway.upstream.error_mapping import CALL_FAILURES as UPSTREAM_FAILURES
from gateway.upstream.error_mapping import is_malformed_for_httpx, map_error
from gateway.upstream.errors import UpstreamError, UpstreamInvalid, UpstreamRefused

__all__ = ["UPSTREAM_FAILURES", "FailureMapper"]


class FailureMapper:
    """Maps UPSTREAM_FAILURES of the requests to one proxied route."""

    def __init__(self, proxy: Proxy) -> None:
        self.service = proxy.to
        self.idle_timeout = proxy.idle_timeout
        self._path = proxy.path

    def refuse(self, method: str, detail: str, status: int) -> UpstreamError:
        """Return the error for a response that is a refusal of the gateway."""
        return UpstreamRefused(self.service, f"{method} {self._path}", detail, status=status)

    def map(self, method: str, error: Exception, seconds: float | None) -> UpstreamError:
        """Map an error; `seconds` is the timeout that applied. A malformed response is invalid."""
        operation = f"{method} {self._path}"
        if isinstance(error.__cause__, MalformedResponse):
            return UpstreamInvalid(self.service, operation, str(error.__cause__))
        if is_malformed_for_httpx(error):
            # Its message may quote the response.
            return UpstreamInvalid(self.service, operation, "the response is not valid HTTP/1.1")
        return map_error(self.service, operation, error, seconds or 0.0)
