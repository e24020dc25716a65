"""What a status code says about the call that got it."""

import re

from gateway.transport.raw_response import RawResponse
from gateway.upstream.errors import UpstreamError, UpstreamRefused, UpstreamUnavailable

_SECONDS = re.compile(r"[0-9]{1,5}")
_LONGEST_WAIT = 3_600


def refusal(service: str, operation: str, reply: RawResponse) -> UpstreamError:
    """The error that an answer stands for which is no success."""
    status = reply.status
    detail = f"status {status}"
    if status == 429 or status >= 500:
        wait = _wait(reply.header(b"retry-after"))
        return UpstreamUnavailable(service, operation, detail, status=status, retry_after=wait)
    return UpstreamRefused(service, operation, detail, status=status)


def _wait(text: str) -> float | None:
    """`Retry-After` where it is a sensible number of seconds (RFC 9110, 10.2.3)."""
    if not _SECONDS.fullmatch(text) or int(text) > _LONGEST_WAIT:
        return None
    return float(text)
