"""An example of each error that a client can receive, with its cause and remedy."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gateway.errors.tree import (
    ContentTooLarge,
    DatabaseUnavailable,
    DpopRefused,
    Forbidden,
    GatewayError,
    IdentityUnavailable,
    Overloaded,
    QuotaExceeded,
    RateLimiterUnavailable,
    ReplayCacheUnavailable,
    TicketRefused,
    TicketsUnavailable,
    TooManyStreams,
    Unauthenticated,
    UnsupportedContentCoding,
    UserRequired,
    WrongService,
)
from gateway.proxy.upstream.upstream_failures import IDLE_TIMEOUT, RequestTimeout
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)


@dataclass(frozen=True)
class Failure:
    """An example of an error, its cause, and advice for the client."""

    error: Exception
    cause: str
    advice: str


REFUSALS = (
    Failure(
        Unauthenticated("expired"),
        "The access token is missing or not valid. Only the log contains the reason.",
        "Get a new token; do not repeat the request with the same one.",
    ),
    Failure(
        DpopRefused("proof_used"),
        "The route takes only tokens that are bound to a key, or the token is bound to one; and "
        "the request has no DPoP proof of the key, or an invalid one. Only the log contains the "
        "reason. `error` in the challenge is `invalid_token` if another proof would not help.",
        "Repeat the request with a new proof, or for `invalid_token` with a new token.",
    ),
    Failure(
        TicketRefused("ticket_unknown"),
        "The ticket in the query cannot be redeemed. Only the log contains the reason.",
        "Get a new ticket, and send it once.",
    ),
    Failure(
        Forbidden(scopes=["dashboard:read"]),
        "The token is valid, but it lacks a required scope, or the data belong to another user. If "
        "a scope is missing, `required-scopes` lists all scopes that the route requires, and the "
        "token needs every one of them. If the data belong to another user, it lists the `:any` "
        "form of each required scope, and the token needs one of these as well.",
        "Get a token with these scopes; the same request will fail again.",
    ),
    Failure(
        WrongService(["inventory"]),
        "The token was exchanged for some services alone (`audience`, RFC 8693), and the route is "
        "not a proxied route of one of them.",
        "Exchange a token for the service of the route, or for no service in particular; the same "
        "request will fail again.",
    ),
    Failure(
        UserRequired(),
        "The route serves the data of its caller (`CallerId`), but the token has no user id, for "
        "example because it belongs to a service, or the id is not of the type that the route "
        "needs.",
        "Get a token for a user; the same request will fail again.",
    ),
    Failure(
        ContentTooLarge(),
        "The request body exceeds `max_body_size` of the route, or else `server.max_body_bytes`.",
        "Send a shorter body.",
    ),
    Failure(
        UnsupportedContentCoding(),
        "The request body has a `Content-Encoding`, and the route declares a model for it. A route "
        "that reads the bytes itself may decode them.",
        "Send the body without a content coding.",
    ),
    Failure(
        QuotaExceeded(["dashboards"], 17.2),
        "A rate-limit policy of the route has no quota left. A refused request is not counted.",
        "Wait for the number of seconds in `Retry-After`, then try again.",
    ),
    Failure(
        TooManyStreams(1),
        "The caller has `server.max_streams_per_caller` streams: event streams, WebSockets and "
        "long bodies of proxied routes; or it has eight more exchanges that turned out to be long. "
        "A caller is the subject of a token, or else an address.",
        "Close a stream that is no longer needed, then try again. A ticket that was sent has been "
        "used: get a new one.",
    ),
    Failure(
        IdentityUnavailable(5),
        "The signing key of the token is not known, and the identity provider does not respond.",
        "Keep the token, and try again after `Retry-After` seconds.",
    ),
    Failure(
        RateLimiterUnavailable(1),
        'Redis is unavailable, and the policy declares `without_redis="deny"`.',
        "Try again after `Retry-After` seconds.",
    ),
    Failure(
        TicketsUnavailable(1),
        "Redis, which holds the tickets, does not respond, or the process holds too many tickets.",
        "Try again after `Retry-After` seconds. A ticket that was sent may have been used.",
    ),
    Failure(
        ReplayCacheUnavailable(1),
        "Redis, which remembers what may be used once, does not respond, or without Redis the "
        "process remembers too many.",
        "Try again after `Retry-After` seconds, with a new DPoP proof: "
        "the one that was sent may count as used.",
    ),
    Failure(
        DatabaseUnavailable(1),
        "The database, which the request needs, does not respond or cannot be written.",
        "Try again after `Retry-After` seconds. A client assertion that was sent may count as "
        "used: sign a new one.",
    ),
    Failure(
        Overloaded(1),
        "The gateway sheds load: `server.max_in_flight` requests are already in flight, or "
        "`server.max_streams` proxied streams and WebSockets are open.",
        "Try again after `Retry-After` seconds. A ticket that was sent may have been used.",
    ),
)

UPSTREAM = (
    Failure(
        UpstreamTimeout("users", "GET /users/{user_id}", "over 0.8 s"),
        "A required part did not load within its timeout or the budget of the composite. Or the "
        "service behind a proxied route sent no response, or accepted no WebSocket, within the "
        "`timeout` of the route, or took no byte of the request body for its `idle_timeout`.",
        "Try again. If it persists, check the service named in `service`.",
    ),
    Failure(
        UpstreamUnavailable("users", "GET /users/{user_id}", "status 503", status=503),
        "The service cannot be reached, closed the connection early, or responded to a typed "
        "client with 429 or 5xx. A proxied route passes such a response on.",
        "Try again after `Retry-After` seconds.",
    ),
    Failure(
        UpstreamRefused("users", "GET /users/{user_id}", "status 404", status=404),
        "The service responded to a typed client with another status outside 2xx, for example 404. "
        "Or the service behind a proxied route refused the identity that the gateway sent (401), "
        "or is reached through a proxy that needs credentials (407); the log says which.",
        "Check the parameters of the request; for a proxied route, report it: the gateway and "
        "the service are configured differently.",
    ),
    Failure(
        UpstreamInvalid("users", "GET /users/{user_id}", "the body is empty"),
        "The response of the service does not match the type that its client declares. Or the "
        "response of a service behind a proxied route is not valid HTTP/1.1, or accepts a "
        "WebSocket in another way than its handshake allows.",
        "Report it: the gateway and the service disagree.",
    ),
)

OTHERS = (
    Failure(
        RequestTimeout("No byte of the request body arrived within 300 s.", IDLE_TIMEOUT),
        "The body of a request to a proxied route did not arrive within the `idle_timeout` or the "
        "`total_timeout` of the route, or any body or head arrived too slowly for "
        "`server.stall_seconds` or `server.head_seconds`. The gateway closes the connection.",
        "Send the request again, and its body without pauses.",
    ),
    Failure(
        HTTPException(421, "This server does not serve the host of the request."),
        "`server.allowed_hosts` does not list the host in `Host`, or that in the "
        "`X-Forwarded-Host` of a trusted proxy. The log has the host as `explanation`.",
        "Send the request to a host that the gateway serves.",
    ),
    Failure(
        RequestValidationError(
            [{"type": "int_parsing", "loc": ("path", "user_id"), "msg": "Input should be a number"}]
        ),
        "A parameter or the body is not valid, or a value of the request cannot be sent to a "
        "service, for example `..` as an id in a path. `in` is the part of the request: `path`, "
        "`query`, `header`, `cookie` or `body`, or `request` if the error does not say. `field` is "
        "the name in it, or the name of the part itself if all of it is not valid, for example a "
        "body that is not JSON.",
        "Fix the fields listed in `errors`; the same request will fail again.",
    ),
    Failure(
        HTTPException(404),
        "The path does not exist (404) or does not support the method (405, with `Allow`), the "
        "body is not UTF-8 or nested too deeply (400), or the code of the application raised an "
        "`HTTPException`. A proxied route also refuses a path or a header field that services read "
        "differently (400), the handshake of a WebSocket (400, 403, 426), and a request that has "
        "come back to the gateway (508). "
        "Its `detail` is the text of the exception; any other value is sent as JSON text.",
        "Fix the path, the method or the body of the request.",
    ),
    Failure(
        RuntimeError("unexpected"),
        "The gateway or the code of the application raised an unexpected exception, of any kind. "
        "The traceback is logged once.",
        "Report it with the value of `instance`, which identifies the log lines of the request.",
    ),
)


def list_failures() -> Iterator[Failure]:
    """Yield every example.

    Raises:
        LookupError: an error class has no example.
    """
    known = {type(failure.error) for failure in (*REFUSALS, *UPSTREAM)}
    for kind in (*_find_concrete_classes(GatewayError), *_find_concrete_classes(UpstreamError)):
        if kind not in known:
            raise LookupError(f"tests/docs/pages/failures.py has no example of {kind.__name__}")
    yield from (*REFUSALS, *UPSTREAM, *OTHERS)


def _find_concrete_classes(base: type[Exception]) -> Iterator[type[Exception]]:
    """Yield the subclasses of `base` that have no subclasses of their own."""
    for kind in base.__subclasses__():
        if kind.__subclasses__():
            yield from _find_concrete_classes(kind)
        elif kind.__module__ == base.__module__:
            yield kind
