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
    """Return the earlier of two times: after `total_timeout` seconds, and the end of the token.

    A token is valid until its `exp` plus the clock skew of its issuer; of several issuers the
    longest one counts here.
    """
    end = StreamEnd(None, "")
    if total_timeout is not None:
        end = StreamEnd(started + total_timeout, TOTAL_TIMEOUT)
    if (principal := find_principal(request)) is not None:
        issuers = request.app.state.settings.issuers
        skew = max((issuer.clock_skew_seconds for issuer in issuers), default=0.0)
        seconds = principal.expires_at + skew - time.time()
        expires_at = asyncio.get_running_loop().time() + seconds
        if end.at is None or expires_at < end.at:
            end = StreamEnd(expires_at, TOKEN_EXPIRED)
    return end
