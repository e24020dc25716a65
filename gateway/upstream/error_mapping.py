"""From what went wrong with a call to the error of the tree that its caller gets."""

import re
import time
from datetime import UTC, datetime

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

_SECONDS = re.compile(r"[0-9]+")
_MAX_RETRY_AFTER = 3_600
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"  # RFC 9110, 5.6.7


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
            service, operation, detail, status=status, retry_after=_parse_retry_after(retry_after)
        )
    return UpstreamRefused(service, operation, detail, status=status)


def _parse_retry_after(text: str) -> float | None:
    """`Retry-After` in seconds from now, at most an hour; None if it is neither form.

    It is a number of seconds or a date (RFC 9110, 10.2.3). A longer time counts as an hour: to
    ignore it would be to come back at once.
    """
    text = text.strip()
    if _SECONDS.fullmatch(text):
        digits = text.lstrip("0") or "0"
        return float(_MAX_RETRY_AFTER if len(digits) > 4 else min(int(digits), _MAX_RETRY_AFTER))
    try:
        date = datetime.strptime(text, _HTTP_DATE).replace(tzinfo=UTC)
    except ValueError:
        return None
    return min(max(0.0, date.timestamp() - time.time()), _MAX_RETRY_AFTER)
