"""From what went wrong with a call to the error of the tree that its caller gets."""

import re

import httpx

from gateway.upstream.decoding import NotDecodable
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)

CALL_FAILURES = (TimeoutError, httpx.RequestError, NotDecodable)
"""What sending a request and decoding its response raise, and `map_error` maps."""

_SECONDS = re.compile(r"[0-9]{1,5}")
_MAX_RETRY_AFTER = 3_600


def map_error(service: str, operation: str, error: Exception, seconds: float) -> UpstreamError:
    """The error for one of `CALL_FAILURES`, of a call that had `seconds`."""
    kind = type(error).__name__
    if isinstance(error, NotDecodable):
        return UpstreamInvalid(service, operation, str(error))
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return UpstreamTimeout(service, operation, f"{kind}, {seconds:.3g} s given")
    return UpstreamUnavailable(service, operation, kind)


def map_status(service: str, operation: str, status: int, retry_after: str) -> UpstreamError:
    """The error for a response that is no success; `retry_after` is the value of that field."""
    detail = f"status {status}"
    if status == 429 or status >= 500:
        return UpstreamUnavailable(
            service, operation, detail, status=status, retry_after=_parse_seconds(retry_after)
        )
    return UpstreamRefused(service, operation, detail, status=status)


def _parse_seconds(text: str) -> float | None:
    """`Retry-After` where it is a number of seconds up to an hour (RFC 9110, 10.2.3)."""
    if not _SECONDS.fullmatch(text) or int(text) > _MAX_RETRY_AFTER:
        return None
    return float(text)
