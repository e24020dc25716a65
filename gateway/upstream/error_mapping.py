"""Mapping of failed calls and of response statuses to subclasses of `UpstreamError`."""

import re
import ssl
import time
from datetime import UTC, datetime

import httpx

from gateway.tls_error import CA_HINT
from gateway.transport.connection_end import ConnectionEnded
from gateway.transport.happy_eyeballs import HostUnreachable, describe_error
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
_MAX_CAUSES = 8
_MAX_LOCATION = 200
# Without credentials, query and fragment.
_LOCATION = re.compile(r"(?P<scheme>(?:https?:)?//)?(?:[^/?#@]*@)?(?P<rest>[^?#@]*)")
_SAFE_MESSAGES = (  # of httpcore and h11, without a byte of the response
    "Server disconnected without sending a response",
    "peer closed connection without sending complete message body",
)

_SECONDS = re.compile(r"[0-9]+")
_MAX_RETRY_AFTER = 3_600
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"  # RFC 9110, 5.6.7


def map_error(
    service: str, operation: str, error: Exception, seconds: float, limit: str = ""
) -> UpstreamError:
    """Map one of `CALL_FAILURES`; `seconds` is the timeout, and `limit` the name of its option."""
    kind = type(error).__name__
    if isinstance(error, NotDecodable):
        return UpstreamInvalid(service, operation, str(error))
    reason = _find_reason(error)[:_MAX_REASON]
    reason = reason.replace(CA_HINT, f"{CA_HINT} or upstreams.{service}.tls.ca_file")
    detail = f"{kind}: {reason}" if reason else kind
    if isinstance(error, httpx.ConnectTimeout):
        return UpstreamTimeout(service, operation, detail)  # its limit is another one
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        named = f" ({limit})" if limit else ""
        return UpstreamTimeout(service, operation, f"{detail}, {seconds:.3g} s given{named}")
    return UpstreamUnavailable(service, operation, detail)


def _find_reason(error: Exception) -> str:
    """Return the reason that is safe for the log: the messages of httpx may quote the response."""
    if str(error).startswith(_SAFE_MESSAGES):
        return str(error).rstrip(".")
    cause: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        cause = cause and (cause.__cause__ or cause.__context__)
        if isinstance(cause, HostUnreachable | MalformedResponse | ConnectionEnded):
            return str(cause)
        if isinstance(cause, OSError) and (cause.errno or isinstance(cause, ssl.SSLError)):
            return describe_error(cause)
    return ""


def is_malformed_for_httpx(error: Exception) -> bool:
    """Whether httpx has refused a response; it has the same error for one that ends early."""
    return isinstance(error, httpx.RemoteProtocolError) and not (
        isinstance(error.__cause__, ConnectionEnded) or str(error).startswith(_SAFE_MESSAGES)
    )


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
    detail = f"status {status}{_describe_location(response)}"
    if status == 429 or status >= 500:
        return UpstreamUnavailable(
            service, operation, detail, status=status, retry_after=parse_retry_after(retry_after)
        )
    return UpstreamRefused(service, operation, detail, status=status, response=response)


def _describe_location(response: RawResponse | None) -> str:
    """Return where a redirect leads: origin and path, because a query may hold a secret."""
    if response is None or not 300 <= response.status < 400:
        return ""
    location = _LOCATION.match(response.headers.get("location", ""))
    shown = f"{location['scheme'] or ''}{location['rest']}"[:_MAX_LOCATION] if location else ""
    return f", Location: {shown}" if shown.isascii() and shown.isprintable() and shown else ""


def parse_retry_after(text: str) -> float | None:
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
