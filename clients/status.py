"""What a status code says about the call that got it."""

import re

import httpx

from clients.errors import UpstreamError, UpstreamRefused, UpstreamUnavailable

_SECONDS = re.compile(r"[0-9]{1,5}")
_LONGEST_WAIT = 3_600


def refusal(service: str, operation: str, response: httpx.Response) -> UpstreamError | None:
    """The error an answer stands for; None for a success."""
    status = response.status_code
    if 200 <= status < 300:
        return None
    if status == 429 or status >= 500:
        return UpstreamUnavailable(
            service, operation, f"status {status}", status=status, retry_after=_wait(response)
        )
    return UpstreamRefused(service, operation, f"status {status}", status=status)


def _wait(response: httpx.Response) -> float | None:
    """`Retry-After` where it is a sensible number of seconds (RFC 9110, 10.2.3)."""
    text = response.headers.get("retry-after", "")
    if not _SECONDS.fullmatch(text) or int(text) > _LONGEST_WAIT:
        return None
    return float(text)
