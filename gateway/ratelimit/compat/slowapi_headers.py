"""`CurrentLimit`, the limit that a response describes, and its `X-RateLimit-*` headers."""

import time
from collections.abc import Sequence
from email.utils import formatdate
from math import ceil
from typing import Self

from limits import RateLimitItem

from gateway.http1_grammar import TOKEN
from gateway.ratelimit.compat.slowapi_route_limit import LimitCharge
from gateway.ratelimit.limiter import Standing, Verdict


class CurrentLimit(tuple[RateLimitItem, list[str]]):
    """The limit that the headers describe; `request.state.view_rate_limit` of slowapi.

    As in slowapi it is a pair: the limit, and a list of the prefix if there is one, the caller's
    key and the endpoint. `remaining` is a number of requests; `reset` and `retry_after` are in
    seconds. A refused request would be refused again before either of them.
    """

    remaining: int
    reset: float
    retry_after: float

    def __new__(
        cls, item: RateLimitItem, identifiers: list[str], verdict: Verdict, standing: Standing
    ) -> Self:
        """Make the pair, with the numbers of a verdict."""
        self = super().__new__(cls, (item, identifiers))
        self.remaining = standing.remaining
        self.reset = max(standing.reset, verdict.retry_after)
        self.retry_after = verdict.retry_after
        return self

    @property
    def item(self) -> RateLimitItem:
        """The limit."""
        return self[0]

    @property
    def identifiers(self) -> list[str]:
        """The prefix if there is one, the caller's key and the endpoint."""
        return self[1]


def select_tightest(
    charges: Sequence[LimitCharge], verdict: Verdict
) -> tuple[LimitCharge, Standing]:
    """Select the limit to report: of a refusal the longest wait, otherwise the shortest unit."""
    pairs = list(zip(charges, verdict.standings, strict=True))
    if verdict.admitted:
        return min(pairs, key=lambda pair: pair[0].item)
    return max(pairs, key=lambda pair: pair[1].retry_after)


def make_current_limit(
    charges: Sequence[LimitCharge], verdict: Verdict, prefix: str
) -> CurrentLimit | None:
    """Return the limit to report; None if none was counted, as while Redis is down."""
    if not verdict.standings:
        return None
    selected, standing = select_tightest(charges, verdict)
    identifiers = [selected.key, selected.route_limit.scope[1]]
    if prefix:
        identifiers.insert(0, prefix)
    return CurrentLimit(selected.item, identifiers, verdict, standing)


def check_header_names(names: Sequence[str]) -> None:
    """Check the names that the configuration gives to the headers.

    Raises:
        ValueError: a name is not that of a header field.
    """
    for name in names:
        if not TOKEN.fullmatch(name.encode()):
            raise ValueError(f"{name!r:.60} is not the name of a header (RATELIMIT_HEADER_...)")


def build_headers(
    current_limit: CurrentLimit, names: Sequence[str], *, http_date: bool
) -> dict[str, str]:
    """Build the headers of one response; only a refusal has a `Retry-After` (RFC 6585)."""
    limit, remaining, reset, retry_after = names
    headers = {
        limit: str(current_limit.item.amount),
        remaining: str(current_limit.remaining),
        reset: str(ceil(time.time() + current_limit.reset)),
    }
    if current_limit.retry_after:
        headers[retry_after] = format_retry_after(current_limit, http_date=http_date)
    return headers


def format_retry_after(current_limit: CurrentLimit, *, http_date: bool) -> str:
    """Return the seconds to wait, at least 1, or the time after them."""
    seconds = max(1, ceil(current_limit.retry_after))
    return formatdate(time.time() + seconds, usegmt=True) if http_date else str(seconds)
