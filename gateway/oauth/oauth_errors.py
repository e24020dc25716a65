"""The errors of the OAuth endpoints: JSON with `error` and `error_description`.

RFC 6749, section 5.2. What a limit or an unavailable part of the gateway raises stays a problem
document (429 and 503), as on every other route.
"""

from typing import ClassVar

from starlette.responses import Response

from gateway.oauth.json_response import NO_STORE, build_json
from gateway.request_context import RequestContext

CHALLENGE = 'Basic realm="lockgate", charset="UTF-8"'


class OAuthError(Exception):
    """An error whose `description` is for the developer of the client.

    The description has no text of the request, and neither `"` nor a backslash, as the RFC
    requires. `explanation` is only logged.
    """

    error: ClassVar[str]
    status: ClassVar[int] = 400

    def __init__(self, description: str, explanation: str = "") -> None:
        super().__init__(description)
        self.description = description
        self.explanation = explanation

    @property
    def headers(self) -> dict[str, str]:
        """The header fields of the response."""
        return NO_STORE

    def build_response(self, context: RequestContext) -> Response:
        """Build the response, and log the error."""
        context.log_fields["error"] = self.error
        context.log_fields["explanation"] = self.explanation or self.description
        document = {"error": self.error, "error_description": self.description}
        return build_json(document, self.status, self.headers)


class InvalidRequest(OAuthError):
    """A parameter is missing, malformed or repeated, or there are two ways to authenticate."""

    error = "invalid_request"


class InvalidClient(OAuthError):
    """The client is unknown, or its authentication is missing or wrong.

    The response is the same for each of these; `explanation` says for the log which it was.
    """

    error = "invalid_client"
    status = 401

    def __init__(self, explanation: str) -> None:
        super().__init__("The client is unknown, or its authentication is not valid.", explanation)

    @property
    def headers(self) -> dict[str, str]:
        """With the challenge that each 401 must have (RFC 9110, section 15.5.2)."""
        return {**NO_STORE, "WWW-Authenticate": CHALLENGE}


class InvalidDpopProof(OAuthError):
    """The DPoP proof of a token request is not valid (RFC 9449, section 5)."""

    error = "invalid_dpop_proof"

    def __init__(self, explanation: str) -> None:
        super().__init__("The DPoP proof is not valid for this request.", explanation)


class InvalidSubjectToken(InvalidRequest):
    """The subject_token is not valid, for any reason (RFC 8693, section 2.2.2)."""


class InvalidScope(OAuthError):
    """The requested scope is malformed, or more than the client may get."""

    error = "invalid_scope"


class InvalidTarget(OAuthError):
    """The token would be for a service that the client may not call (RFC 8693, section 2.2.2)."""

    error = "invalid_target"


class UnauthorizedClient(OAuthError):
    """The client may not use this grant at all."""

    error = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    """There is no such grant here."""

    error = "unsupported_grant_type"


class UnsupportedTokenType(OAuthError):
    """A token of this kind cannot be revoked here (RFC 7009, section 2.2.1)."""

    error = "unsupported_token_type"
