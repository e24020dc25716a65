"""A verifier that reads the token as plain text, and an app that keeps its log fields."""

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway.auth.principal import Principal
from gateway.auth.verifier import TokenVerifier
from gateway.errors.tree import IdentityUnavailable, Unauthenticated
from gateway.request_context import RequestContext
from gateway.telemetry.log import LogField


class FakeVerifier(TokenVerifier):
    """Accepts "user-scope+scope" as the token of that user with those scopes."""

    def __init__(self) -> None:
        self.verifications = 0

    async def verify(self, token: str) -> Principal:
        """Read user and scopes from the text of the token."""
        self.verifications += 1
        if token == "bad":
            raise Unauthenticated("bad_signature")
        if token == "later":
            raise IdentityUnavailable(7, "iss", "why")
        user, _, scopes = token.partition("-")
        names = frozenset(scopes.replace("_", ":").split("+"))
        return Principal("iss", user or "\u2028nobody", names, user or None, None, None, 4e9)

    def health(self) -> dict[str, str]:
        """Report no issuer."""
        return {}


class LogFieldsRecorder:
    """An app in front of another that keeps the log fields of the last request."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.log_fields: dict[str, LogField] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and keep its log fields."""
        self.log_fields = RequestContext.of(scope).log_fields
        await self.app(scope, receive, send)


READ, ANY, OTHER = "u1-dashboard_read", "u1-dashboard_read_any", "u1-orders_read"
OWNERLESS = "-dashboard_read"
