"""The dependencies behind a guard: who is calling, may they, and is it theirs."""

from dataclasses import dataclass
from hmac import compare_digest

from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.types import Scope

from gateway.auth.bearer import extract_bearer_token
from gateway.auth.ownership import is_canonical
from gateway.auth.principal import ANY, Principal
from gateway.auth.verifier import TokenVerifier
from gateway.errors.tree import Forbidden, Unauthenticated
from gateway.request_context import RequestContext

_PRINCIPAL = "lockgate.principal"
_REQUIRED = "lockgate.required_scopes"
_LOGGED = 64


def authenticated_principal(connection: HTTPConnection) -> Principal | None:
    """Who is calling, if that has been found out for this request."""
    known: Principal | None = connection.scope.get(_PRINCIPAL)
    return known


async def authenticate(connection: HTTPConnection) -> Principal:
    """Say who is calling; the token is verified once per request, however often one asks.

    Raises:
        Unauthenticated: no token, or one that is not valid.
        IdentityUnavailable: the token's key cannot be asked for now.
    """
    known = authenticated_principal(connection)
    if known is not None:
        return known
    log_fields = RequestContext.of(connection.scope).log_fields
    try:
        verifier = connection.app.state.resources[TokenVerifier]
        principal: Principal = await verifier.verify(extract_bearer_token(connection))
    except Unauthenticated as refusal:
        log_fields["reason"] = refusal.reason
        raise
    log_fields["caller"] = _printable(principal.subject)
    connection.scope[_PRINCIPAL] = principal
    return principal


class Authorize(SecurityBase):
    """The dependency behind `requires`, and what OpenAPI says about it."""

    def __init__(self) -> None:
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = "bearer"

    async def __call__(self, connection: HTTPConnection, required: SecurityScopes) -> Principal:
        """Let the caller pass who has every scope, or its `:any` form.

        Raises:
            Unauthenticated: no token, or one that is not valid.
            IdentityUnavailable: the token's key cannot be asked for now.
            Forbidden: a scope is missing.
        """
        principal = await authenticate(connection)
        for scope in required.scopes:
            if not principal.may(scope):
                raise _forbidden(connection.scope, "missing_scope", required.scopes)
        connection.scope[_REQUIRED] = (*_required(connection.scope), *required.scopes)
        return principal


@dataclass(frozen=True)
class Owner:
    """The dependency behind `owner`."""

    path_param: str

    async def __call__(self, connection: HTTPConnection) -> None:
        """Let the owner pass, and who may act for anyone.

        Raises:
            Unauthenticated: no token, or one that is not valid.
            IdentityUnavailable: the token's key cannot be asked for now.
            Forbidden: the path names somebody else.
        """
        principal = authenticated_principal(connection) or await authenticate(connection)
        scopes = _required(connection.scope)
        for scope in scopes:
            if principal.may_for_anyone(scope):
                return
        if not self._is_named(principal.user_id, connection):
            raise _forbidden(connection.scope, "not_the_owner", [scope + ANY for scope in scopes])

    def _is_named(self, user_id: str | None, connection: HTTPConnection) -> bool:
        """Compare as written, and as read: a converted path parameter is nobody's."""
        named = connection.path_params.get(self.path_param)
        if user_id is None or not isinstance(named, str) or not _is_same(user_id, named):
            return False
        return is_canonical(self.path_param, named, connection.scope["route"].dependant)


@dataclass(frozen=True)
class Public:
    """The dependency behind `public`: it lets everybody pass, and says why."""

    why: str

    async def __call__(self) -> None:
        """Let everybody pass."""


def _required(scope: Scope) -> tuple[str, ...]:
    required: tuple[str, ...] = scope.get(_REQUIRED, ())
    return required


def _forbidden(scope: Scope, reason: str, scopes: list[str]) -> Forbidden:
    RequestContext.of(scope).log_fields["reason"] = reason
    return Forbidden(scopes=scopes)


def _is_same(user_id: str, named: str) -> bool:
    """Compare as written: "07" is not "7"."""
    ours, theirs = user_id.encode("utf-8", "surrogatepass"), named.encode("utf-8", "surrogatepass")
    return compare_digest(ours, theirs)


def _printable(subject: str) -> str:
    if not subject.isprintable():
        subject = "".join(char for char in subject if char.isprintable())
    return subject[:_LOGGED]
