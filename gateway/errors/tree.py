"""Every refusal and failure a caller can meet, as a tree.

    GatewayError
    ├── Unauthenticated         401   no token, or one that is not valid
    ├── Forbidden               403   a valid token that may not do this
    ├── ContentTooLarge         413   the body is longer than is read
    ├── QuotaExceeded           429   over a rate limit
    ├── IdentityUnavailable     503   the identity provider cannot be asked for a key
    ├── CountersUnavailable     503   Redis cannot count, and the policy says `deny`
    └── Overloaded              503   too much at once

`problem_json.py` beside this file writes them, and the failures of downstream services, as JSON.
"""

from collections.abc import Sequence
from math import ceil
from typing import ClassVar

IANA_PROBLEMS = "https://iana.org/assignments/http-problem-types#"
OUR_PROBLEMS = "urn:lockgate:problem:"


class GatewayError(Exception):
    """A refusal or failure with a status, a problem type (RFC 9457) and a sentence for people."""

    status: ClassVar[int]
    type: ClassVar[str]
    title: ClassVar[str]
    detail: ClassVar[str]

    def headers(self) -> dict[str, str]:
        """Headers the answer must carry."""
        return {}

    def members(self) -> dict[str, object]:
        """What the class adds to the problem document."""
        return {}


class Unauthenticated(GatewayError):
    """No token, or one that is not valid (RFC 6750, section 3).

    `reason` is for the log. The answer is the same for every invalid token.
    """

    status = 401
    type = OUR_PROBLEMS + "unauthenticated"
    title = "Unauthenticated"
    detail = "Send a valid access token as 'Authorization: Bearer ...'."

    def __init__(self, reason: str, *, token_sent: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.token_sent = token_sent

    def headers(self) -> dict[str, str]:
        """The challenge; an error code only where a token was sent."""
        error = ', error="invalid_token"' if self.token_sent else ""
        return {"WWW-Authenticate": f'Bearer realm="lockgate"{error}'}


class Forbidden(GatewayError):
    """A valid token that may not do this (RFC 6750, section 3.1)."""

    status = 403
    type = OUR_PROBLEMS + "forbidden"
    title = "Forbidden"
    detail = "The access token does not allow this."

    def __init__(self, *, scopes: Sequence[str] = ()) -> None:
        super().__init__(*scopes)
        self.scopes = tuple(scopes)

    def headers(self) -> dict[str, str]:
        """The challenge, naming the scopes that would do."""
        scope = f', scope="{" ".join(self.scopes)}"' if self.scopes else ""
        return {"WWW-Authenticate": f'Bearer realm="lockgate", error="insufficient_scope"{scope}'}

    def members(self) -> dict[str, object]:
        """The scopes that would do."""
        return {"required-scopes": list(self.scopes)}


class ContentTooLarge(GatewayError):
    """The body is larger than the route's `max_body_size`, or else `server.max_body_bytes`.

    RFC 9110, section 15.5.14.
    """

    status = 413
    type = OUR_PROBLEMS + "content-too-large"
    title = "Content too large"
    detail = "The body of the request is longer than is taken here."


class QuotaExceeded(GatewayError):
    """Over a rate limit (draft-ietf-httpapi-ratelimit-headers-10, section on problem types)."""

    status = 429
    type = IANA_PROBLEMS + "quota-exceeded"
    title = "Quota exceeded"
    detail = "Too many requests. Wait as long as Retry-After says."

    def __init__(self, policies: Sequence[str], retry_after: float) -> None:
        super().__init__(*policies)
        self.policies = tuple(policies)
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        """How many seconds to wait, rounded up."""
        return retry_after(self.retry_after)

    def members(self) -> dict[str, object]:
        """The policies that refused."""
        return {"violated-policies": list(self.policies)}


class _Unavailable(GatewayError):
    status = 503
    type = IANA_PROBLEMS + "temporary-reduced-capacity"

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        """How many seconds to wait, rounded up."""
        return retry_after(self.retry_after)


class IdentityUnavailable(_Unavailable):
    """The identity provider cannot be asked for the token's key."""

    type = OUR_PROBLEMS + "identity-unavailable"
    title = "Identity provider unavailable"
    detail = "The access token cannot be checked at the moment. Try again."


class RateLimiterUnavailable(_Unavailable):
    """The request cannot be counted, and its policy says `deny` without Redis."""

    title = "Rate limits unavailable"
    detail = "The request cannot be counted at the moment. Try again."


class Overloaded(_Unavailable):
    """More at once than the gateway takes on."""

    title = "Overloaded"
    detail = "The gateway has too much to do at the moment. Try again."


def retry_after(seconds: float) -> dict[str, str]:
    """The `Retry-After` header: whole seconds, rounded up, at least one (RFC 9110, 10.2.3)."""
    return {"Retry-After": str(max(1, ceil(seconds)))}
