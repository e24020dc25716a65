"""The time at which a stream ends at the latest: its total timeout, or the end of the token."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from starlette.requests import Request

from gateway.auth.dependencies import find_principal
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.upstream.upstream_failures import TOTAL_TIMEOUT
from gateway.settings.schema import Issuer

SHUTDOWN = "the gateway stops"
TOKEN_EXPIRED = "the token of the caller has expired"  # noqa: S105 - a reason
TOKEN_REVOKED = "the token of the caller has been revoked"  # noqa: S105 - a reason

GRACE_SECONDS = 5.0
"""The time for a response whose head arrives after the token has expired."""


class StreamEnd(NamedTuple):
    """A time on the loop's clock, None without a limit, and the reason to end the stream then."""

    at: float | None
    reason: str


class StreamEnds:
    """Finds the end of each stream of one proxied route.

    A token is valid until its `exp` plus the clock skew of its issuer; of several issuers the
    longest one counts here.
    """

    def __init__(self, proxy: Proxy, issuers: Sequence[Issuer]) -> None:
        self._total_timeout = proxy.total_timeout
        self._ends_with_token = not proxy.outlive_token
        self._skew = max((issuer.clock_skew_seconds for issuer in issuers), default=0.0)
        self._loop = asyncio.get_running_loop()

    def find_total(self, started: float) -> StreamEnd:
        """Return the end of an exchange whose length is bounded: after `total_timeout` seconds."""
        if self._total_timeout is None:
            return StreamEnd(None, "")
        return StreamEnd(started + self._total_timeout, TOTAL_TIMEOUT)

    def find(self, request: Request, started: float, grace: float = 0.0) -> StreamEnd:
        """Return the end of a stream of unknown length: it ends with the token, too.

        It has `grace` seconds from now on if the token has expired already: the request was
        admitted when it arrived, and then the caller sent a body, or the service worked.
        """
        end = self.find_total(started)
        principal = find_principal(request) if self._ends_with_token else None
        if principal is None:
            return end
        seconds = principal.expires_at + self._skew - time.time()
        expires_at = self._loop.time() + (seconds if seconds > 0 else grace)
        if end.at is not None and end.at <= expires_at:
            return end
        return StreamEnd(expires_at, TOKEN_EXPIRED)
