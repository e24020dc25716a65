"""The time at which a stream ends at the latest: its total timeout, or the end of the token."""

import asyncio
import time
from typing import NamedTuple

from starlette.requests import Request

from gateway.auth.dependencies import find_principal

SHUTDOWN = "the gateway stops"
TOTAL_TIMEOUT = "total_timeout"
TOKEN_EXPIRED = "the token of the caller has expired"  # noqa: S105 - a reason


class StreamEnd(NamedTuple):
    """A time on the loop's clock, None without a limit, and the reason to end the stream then."""

    at: float | None
    reason: str


def find_stream_end(request: Request, started: float, total_timeout: float | None) -> StreamEnd:
    """Return the earlier of two times: of `total_timeout` seconds after `started`, and of `exp`."""
    end = StreamEnd(None, "")
    if total_timeout is not None:
        end = StreamEnd(started + total_timeout, TOTAL_TIMEOUT)
    if (principal := find_principal(request)) is not None:
        expires_at = asyncio.get_running_loop().time() + principal.expires_at - time.time()
        if end.at is None or expires_at < end.at:
            end = StreamEnd(expires_at, TOKEN_EXPIRED)
    return end
