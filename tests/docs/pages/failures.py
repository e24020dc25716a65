"""One of each error that a caller can meet, and what the caller is to do about it."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gateway.errors.tree import (
    ContentTooLarge,
    Forbidden,
    GatewayError,
    IdentityUnavailable,
    Overloaded,
    QuotaExceeded,
    RateLimiterUnavailable,
    Unauthenticated,
)
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)


@dataclass(frozen=True)
class Failure:
    """An error, when it is met, and what to do then."""

    error: Exception
    when: str
    advice: str


REFUSALS = (
    Failure(
        Unauthenticated("expired"),
        "There is no token, or it is not valid; why it is not is in the log only.",
        "Get a new token. Do not repeat the request with the same one.",
    ),
    Failure(
        Forbidden(scopes=["dashboard:read"]),
        "The token is valid, but a scope is missing or the data are somebody else's.",
        "Ask for a token with one of `required-scopes`; the same request will fail again.",
    ),
    Failure(
        ContentTooLarge(),
        "The body is larger than the route's `max_body_size`, or else `server.max_body_bytes`.",
        "Send less.",
    ),
    Failure(
        QuotaExceeded(["dashboards"], 17.2),
        "One of the route's policies has no quota left. Refused requests cost nothing.",
        "Wait as long as `Retry-After` says.",
    ),
    Failure(
        IdentityUnavailable(5),
        "The token's key is not known yet, and the identity provider does not answer.",
        "Keep the token and try again after `Retry-After`.",
    ),
    Failure(
        RateLimiterUnavailable(1),
        "Redis cannot count, and the policy says `deny` for that case.",
        "Try again after `Retry-After`.",
    ),
    Failure(
        Overloaded(1),
        "More requests run at once than `server.max_in_flight`.",
        "Try again after `Retry-After`.",
    ),
)

UPSTREAM = (
    Failure(
        UpstreamTimeout("users", "GET /users/{user_id}", "over 0.8 s"),
        "A part that must load did not within its time.",
        "Try again; if it stays so, look at the service named in `service`.",
    ),
    Failure(
        UpstreamUnavailable("users", "GET /users/{user_id}", "status 503", status=503),
        "The service cannot be reached, broke off, or answered 429 or 5xx.",
        "Try again after `Retry-After`.",
    ),
    Failure(
        UpstreamRefused("users", "GET /users/{user_id}", "status 404", status=404),
        "The service answered with another status than success, such as 404.",
        "Check what was asked for.",
    ),
    Failure(
        UpstreamInvalid("users", "GET /users/{user_id}", "the body is empty"),
        "The service's answer is not what its client promises.",
        "Report it: client and service do not agree.",
    ),
)

OTHERS = (
    Failure(
        RequestValidationError(
            [{"type": "int_parsing", "loc": ("path", "user_id"), "msg": "Input should be a number"}]
        ),
        "A parameter or the body is not what the route asks for.",
        "Mend what `errors` names; the same request will fail again.",
    ),
    Failure(
        HTTPException(404),
        "There is no such path (404), or no such method on it (405).",
        "Mend the request.",
    ),
    Failure(
        RuntimeError("nobody foresaw this"),
        "The gateway failed in a way that nobody foresaw.",
        "Report it with `instance`, which is in the log.",
    ),
)


def failures() -> Iterator[Failure]:
    """All of them.

    Raises:
        LookupError: an error class has no example here.
    """
    known = {type(failure.error) for failure in (*REFUSALS, *UPSTREAM)}
    for kind in (*_concrete(GatewayError), *_concrete(UpstreamError)):
        if kind not in known:
            raise LookupError(f"tests/docs/pages/failures.py has no example of {kind.__name__}")
    yield from (*REFUSALS, *UPSTREAM, *OTHERS)


def _concrete(base: type[Exception]) -> Iterator[type[Exception]]:
    """The classes under `base` that are raised, which are those with no class under them."""
    for kind in base.__subclasses__():
        if kind.__subclasses__():
            yield from _concrete(kind)
        elif kind.__module__ == base.__module__:
            yield kind
