"""The errors that a client of the gateway can get, as a tree of exceptions.

    GatewayError
    ├── Unauthenticated         401   no access token, or an invalid one
    ├── DpopRefused             401   a token without the proof of its key, or with an invalid one
    ├── TicketRefused           401   a ticket that is unknown, used or expired
    ├── Forbidden               403   a valid token that does not permit the request
    ├── WrongService            403   a valid token that is for other services
    ├── UserRequired            403   a valid token without a user that the route can serve
    ├── ContentTooLarge         413   the request body exceeds the limit
    ├── UnsupportedContentCoding 415  a compressed request body
    ├── QuotaExceeded           429   a rate limit is exceeded
    ├── TooManyStreams          429   the caller has too many open streams
    ├── IdentityUnavailable     503   the keys of the identity provider cannot be fetched
    ├── RateLimiterUnavailable  503   Redis is unavailable, and the policy is `deny`
    ├── TicketsUnavailable      503   tickets cannot be stored or redeemed now
    ├── ReplayCacheUnavailable  503   it cannot be told whether a proof was used before
    ├── DatabaseUnavailable     503   the database does not respond, or refuses to
    └── Overloaded              503   too many requests in flight

`problem_json.py` serializes them and the errors of upstream calls as problem documents.
"""

from collections.abc import Collection, Mapping, Sequence
from math import ceil
from typing import Any, ClassVar, Self

from gateway.settings.schema import ALGORITHMS

IANA_PROBLEMS = "https://iana.org/assignments/http-problem-types#"
OUR_PROBLEMS = "urn:lockgate:problem:"


class GatewayError(Exception):
    """An error with a status, a problem type and title (RFC 9457), and a sentence as detail.

    `member_schemas` holds the JSON schemas of `members`, and `header_names` the names of `headers`.
    OpenAPI documents both.
    """

    status: ClassVar[int]
    type: ClassVar[str]
    title: ClassVar[str]
    detail: ClassVar[str]
    member_schemas: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    header_names: ClassVar[tuple[str, ...]] = ()

    @property
    def headers(self) -> dict[str, str]:
        """The header fields that the response must have."""
        return {}

    @property
    def members(self) -> dict[str, object]:
        """The members that this class adds to the problem document."""
        return {}


class _InvalidCredentials(GatewayError):
    """No access token, or an invalid one (RFC 6750, section 3).

    `reason` and its `explanation` are only logged: the response is the same for each of them.
    """

    status = 401
    type = OUR_PROBLEMS + "unauthenticated"
    title = "Unauthenticated"
    header_names = ("WWW-Authenticate",)

    def __init__(self, reason: str, explanation: str = "", *, token_sent: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.explanation = explanation
        self.token_sent = token_sent

    @property
    def headers(self) -> dict[str, str]:
        """The challenge, with an error code only if a token was sent."""
        error = ', error="invalid_token"' if self.token_sent else ""
        return {"WWW-Authenticate": f'Bearer realm="lockgate"{error}'}


class Unauthenticated(_InvalidCredentials):
    """No access token, or an invalid one: the response is the same for every invalid token."""

    detail = "Send a valid access token as 'Authorization: Bearer ...'."


class DpopRefused(_InvalidCredentials):
    """A token without a valid DPoP proof of the key to which it is bound (RFC 9449, section 7.1).

    `error` is `invalid_dpop_proof` if another proof may help, `invalid_token` if another token is
    needed, or "" if none was sent.
    """

    detail = (
        "Send a valid access token as 'Authorization: DPoP ...', with a new proof of its key in "
        "the header field 'DPoP'."
    )

    def __init__(
        self, reason: str, explanation: str = "", *, error: str = "invalid_dpop_proof"
    ) -> None:
        super().__init__(reason, explanation, token_sent=bool(error))
        self.error = error

    @property
    def headers(self) -> dict[str, str]:
        """The challenge, with the algorithms of proofs."""
        error = f', error="{self.error}"' if self.error else ""
        algorithms = " ".join(ALGORITHMS)
        return {"WWW-Authenticate": f'DPoP realm="lockgate"{error}, algs="{algorithms}"'}


class TicketRefused(_InvalidCredentials):
    """A ticket that opens nothing: the response is the same whatever the `reason` is."""

    detail = (
        "The ticket is unknown, used, expired or for another request. Get a new one with "
        "POST /auth/tickets."
    )


class Forbidden(GatewayError):
    """A valid token that does not permit the request (RFC 6750, section 3.1).

    With `is_bound`, it was sent with a DPoP proof.
    """

    status = 403
    type = OUR_PROBLEMS + "forbidden"
    title = "Forbidden"
    detail = "The access token does not permit this request."
    member_schemas: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "required-scopes": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The scopes that the access token needs",
        }
    }
    header_names = ("WWW-Authenticate",)

    def __init__(self, *, scopes: Sequence[str] = (), is_bound: bool = False) -> None:
        super().__init__(*scopes)
        self.scopes = tuple(scopes)
        self.is_bound = is_bound

    @property
    def headers(self) -> dict[str, str]:
        """The challenge, which names the required scopes."""
        scope = f', scope="{" ".join(self.scopes)}"' if self.scopes else ""
        scheme = "DPoP" if self.is_bound else "Bearer"
        challenge = f'{scheme} realm="lockgate", error="insufficient_scope"{scope}'
        return {"WWW-Authenticate": challenge}

    @property
    def members(self) -> dict[str, object]:
        """The required scopes."""
        return {"required-scopes": list(self.scopes)}


class WrongService(GatewayError):
    """A valid token that is for other services than that of the route."""

    status = 403
    type = OUR_PROBLEMS + "wrong-service"
    title = "Wrong service"
    detail = "The access token is for the services in token-services, and for no other route."
    member_schemas: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "token-services": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The services whose routes accept the access token",
        }
    }

    def __init__(self, services: Collection[str]) -> None:
        super().__init__(*services)
        self.services = sorted(services)

    @property
    def members(self) -> dict[str, object]:
        """The services that the token is for."""
        return {"token-services": self.services}


class UserRequired(GatewayError):
    """A valid token that has no user id, or none of the type that the route needs."""

    status = 403
    type = OUR_PROBLEMS + "user-required"
    title = "User required"
    detail = "This route needs the access token of a user."


class ContentTooLarge(GatewayError):
    """The body is larger than the route's `max_body_size`, or else `server.max_body_bytes`.

    RFC 9110, section 15.5.14.
    """

    status = 413
    type = OUR_PROBLEMS + "content-too-large"
    title = "Content too large"
    detail = "The request body exceeds the maximum size."

    def __str__(self) -> str:
        """Return the detail, for the log."""
        return self.detail


class UnsupportedContentCoding(GatewayError):
    """The request body is compressed, and the route needs it as it is.

    RFC 7694, section 3: `Accept-Encoding` lists what the server accepts.
    """

    status = 415
    type = OUR_PROBLEMS + "unsupported-content-coding"
    title = "Unsupported content coding"
    detail = "Send the request body without Content-Encoding."
    header_names = ("Accept-Encoding",)

    @property
    def headers(self) -> dict[str, str]:
        """The codings that are accepted: none."""
        return {"Accept-Encoding": "identity"}


class QuotaExceeded(GatewayError):
    """A rate limit is exceeded (draft-ietf-httpapi-ratelimit-headers-10, "quota-exceeded")."""

    status = 429
    type = IANA_PROBLEMS + "quota-exceeded"
    title = "Quota exceeded"
    detail = "Too many requests. Retry after the number of seconds in Retry-After."
    member_schemas: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "violated-policies": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The names of the rate-limit policies that refused the request",
        }
    }
    header_names = ("Retry-After",)

    def __init__(self, policies: Sequence[str], retry_after: float) -> None:
        super().__init__(*policies)
        self.policies = tuple(policies)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """`Retry-After` in seconds."""
        return build_retry_after(self.retry_after)

    @property
    def members(self) -> dict[str, object]:
        """The names of the policies that refused the request."""
        return {"violated-policies": list(self.policies)}


class _RetryLater(GatewayError):
    """The same request may succeed after `retry_after` seconds."""

    header_names = ("Retry-After",)

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """`Retry-After` in seconds."""
        return build_retry_after(self.retry_after)


class TooManyStreams(_RetryLater):
    """The caller has too many open streams: `server.max_streams_per_caller`."""

    status = 429
    type = OUR_PROBLEMS + "too-many-streams"
    title = "Too many streams"
    detail = (
        "This caller has as many open streams as server.max_streams_per_caller allows. End one, "
        "and try again, with a new ticket if you sent one."
    )


class _Unavailable(_RetryLater):
    """The gateway, or something that it needs for the request, is unavailable for a short time."""

    status = 503
    type = IANA_PROBLEMS + "temporary-reduced-capacity"


class IdentityUnavailable(_Unavailable):
    """The key that signed the token cannot be fetched from the identity provider.

    `issuer` and `explanation` are only logged.
    """

    type = OUR_PROBLEMS + "identity-unavailable"
    title = "Identity provider unavailable"
    detail = "The access token cannot be verified at the moment. Try again later."

    def __init__(self, retry_after: float, issuer: str = "", explanation: str = "") -> None:
        super().__init__(retry_after)
        self.issuer = issuer
        self.explanation = explanation


class RateLimiterUnavailable(_Unavailable):
    """Redis is unavailable, and a policy of the route declares `deny` for that case."""

    title = "Rate limiter unavailable"
    detail = "The rate limit cannot be checked at the moment. Try again later."


class TicketsUnavailable(_Unavailable):
    """Redis, which holds the tickets, is unavailable; or this process holds too many of them.

    `explanation` is only logged.
    """

    title = "Tickets unavailable"
    detail = "Tickets cannot be issued or redeemed at the moment. Try again later."

    def __init__(self, retry_after: float, explanation: str = "") -> None:
        super().__init__(retry_after)
        self.explanation = explanation


class ReplayCacheUnavailable(_Unavailable):
    """Redis, which holds the used ids, is unavailable; or this process holds too many of them.

    `explanation` is only logged.
    """

    title = "Replay protection unavailable"
    detail = "It cannot be checked at the moment whether this was used before. Try again later."

    def __init__(self, retry_after: float, explanation: str = "") -> None:
        super().__init__(retry_after)
        self.explanation = explanation


class DatabaseUnavailable(_Unavailable):
    """The database does not respond in time, cannot be reached, or cannot be written.

    `explanation` is only logged.
    """

    title = "Database unavailable"
    detail = "The database of the gateway is unavailable at the moment. Try again later."

    def __init__(self, retry_after: float, explanation: str = "") -> None:
        super().__init__(retry_after)
        self.explanation = explanation

    @classmethod
    def before_first_read(cls, content: str) -> Self:
        """Return the error for what this process has not read from the database yet."""
        return cls(1.0, f"{content} have not been read yet")


class Overloaded(_Unavailable):
    """Load shedding: `server.max_in_flight` requests or `server.max_streams` streams are open."""

    title = "Overloaded"
    detail = "The gateway is handling too many requests at the moment. Try again later."


def build_retry_after(seconds: float) -> dict[str, str]:
    """Build the `Retry-After` header: whole seconds, rounded up, at least 1 (RFC 9110, 10.2.3)."""
    return {"Retry-After": str(max(1, ceil(seconds)))}
