"""Mapping of failed calls and of response statuses to subclasses of `UpstreamError`."""

import re
import time
from datetime import UTC, datetime

import httpx

from gateway.transport.happy_eyeballs import HostUnreachable
from gateway.transport.raw_response import RawResponse
from gateway.transport.response_parser import MalformedResponse
from gateway.upstream.content_decoding import NotDecodable
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)

CALL_FAILURES = (TimeoutError, httpx.RequestError, NotDecodable)
"""The exceptions of sending a request and decoding its response; `map_error` maps them."""

_MAX_REASON = 400

_SECONDS = re.compile(r"[0-9]+")
_MAX_RETRY_AFTER = 3_600
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"  # RFC 9110, 5.6.7


def map_error(service: str, operation: str, error: Exception, seconds: float) -> UpstreamError:
    """Map one of `CALL_FAILURES`; `seconds` is the timeout of the call."""
    kind = type(error).__name__
    if isinstance(error, NotDecodable):
        return UpstreamInvalid(service, operation, str(error))
    if isinstance(error.__cause__, HostUnreachable | MalformedResponse):
        kind = f"{kind}: {str(error.__cause__)[:_MAX_REASON]}"
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return UpstreamTimeout(service, operation, f"{kind}, {seconds:.3g} s given")
    return UpstreamUnavailable(service, operation, kind)


def map_status(
    service: str,
    operation: str,
    status: int,
    retry_after: str,
    response: RawResponse | None = None,
) -> UpstreamError:
    """Map an unsuccessful status; `retry_after` is the value of the `Retry-After` field.

    `response` is kept by `UpstreamRefused`; None for a streamed response.
    """
    detail = f"status {status}"
    if status == 429 or status >= 500:
        return UpstreamUnavailable(
            service, operation, detail, status=status, retry_after=_parse_retry_after(retry_after)
        )
    return UpstreamRefused(service, operation, detail, status=status, response=response)


def _parse_retry_after(text: str) -> float | None:
    """Parse `Retry-After` to seconds from now, at most an hour; return None if it is invalid.

    The value is a number of seconds or a date (RFC 9110, 10.2.3). A longer time counts as an
    hour: ignoring it would allow an immediate retry.
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
