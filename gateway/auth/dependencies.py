"""Access declarations of a route: `requires("scope")` or `public("why")`, and the `Caller`.

A request without a valid token is refused with 401, one whose token lacks a scope with 403.
`owner(...)`, which goes after `requires(...)`, is in `ownership.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Security
from fastapi.openapi.models import HTTPBase, HTTPBearer
from fastapi.params import Depends as Dependency
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.types import Scope

from gateway.auth import wrong_key
from gateway.auth.bearer import TokenScheme, extract_token
from gateway.auth.bound_token import has_proof, refuse_bearer, verify_bound_token
from gateway.auth.jwt.refusal import show_all
from gateway.auth.principal import SCOPE, Principal
from gateway.auth.service_restriction import require_service
from gateway.auth.verifier import TokenVerifier
from gateway.errors.tree import (
    DatabaseUnavailable,
    DpopRefused,
    Forbidden,
    IdentityUnavailable,
    ReplayCacheUnavailable,
    Unauthenticated,
)
from gateway.head_guard import HeadGuard
from gateway.request_context import RequestContext
from gateway.resources import Resources
from gateway.upstream.propagation import set_caller_token

_PRINCIPAL = "lockgate.principal"
_REQUIRED_SCOPES = "lockgate.required_scopes"
_ABOUT_DPOP = "An access token bound to a key, with a proof in the header field DPoP (RFC 9449)"

BEARER_SCHEME, DPOP_SCHEME = "bearer", "dpop"
"""The names of the security schemes in OpenAPI."""

_MAX_LOGGED_SUBJECT = 64  # characters
_DPOP = TokenScheme.DPOP


def requires(*scopes: str, dpop: bool = False) -> Dependency:
    """Admit only callers with a valid token and all these scopes, or their `:any` forms.

    With `dpop`, the token must be bound to a key, which each request proves (RFC 9449). Without it,
    a token that is bound needs its proof nevertheless.

    Raises:
        ValueError: not a scope (RFC 6749, section 3.3).
    """
    for scope in scopes:
        if not SCOPE.fullmatch(scope):
            raise ValueError(f"requires: {scope!r} is not a scope; use one word, as orders:read")
    dependency: Dependency = Security(_AUTHORIZE_BOUND if dpop else _AUTHORIZE, scopes=scopes)
    return dependency


def public(why: str) -> Dependency:
    """Admit all callers, with or without a token; `why` is the reason.

    Raises:
        ValueError: no reason is given.
    """
    if not why.strip():
        raise ValueError("public: give the reason why the route needs no token")
    dependency: Dependency = Depends(Public(why))
    return dependency


async def authenticate(connection: HTTPConnection) -> Principal:
    """Return the caller; its token is verified once per request, however many dependencies ask.

    Raises:
        Unauthenticated: no token, or one that is not valid.
        DpopRefused: the token is bound to a key, which the request does not prove.
        IdentityUnavailable: the token's key cannot be fetched now.
        ReplayCacheUnavailable: it is not known whether the proof was used before.
        WrongService: the token is for other services than that of the route.
        QuotaExceeded: the token is a wrong API key, and the client has sent too many of them.
    """
    principal: Principal | None = connection.scope.get(_PRINCIPAL)
    if principal is not None:
        return principal
    context = RequestContext.of(connection.scope)
    context.is_private = True
    log_fields = context.log_fields
    try:
        verifier: TokenVerifier = connection.app.state.resources[TokenVerifier]
        scheme, token = extract_token(connection)
        if scheme is _DPOP:
            principal = await verify_bound_token(connection, verifier, token)
        else:
            principal = await verifier.verify(token)
            if principal.key_thumbprint is not None:
                raise refuse_bearer()
            set_caller_token(token)
    except (Unauthenticated, DpopRefused) as refusal:
        await _report_refusal(connection, refusal)
        raise
    except IdentityUnavailable as error:
        log_fields["issuer"] = error.issuer
        log_fields["explanation"] = error.explanation
        raise
    except (DatabaseUnavailable, ReplayCacheUnavailable) as error:
        log_fields["explanation"] = error.explanation
        raise
    set_principal(connection, principal)
    return principal


async def _report_refusal(
    connection: HTTPConnection, refusal: Unauthenticated | DpopRefused
) -> None:
    """Log why a token is refused, and count it if it is an API key.

    Raises:
        QuotaExceeded: the client has sent too many wrong API keys.
    """
    log_fields = RequestContext.of(connection.scope).log_fields
    log_fields["reason"] = refusal.reason
    if refusal.explanation:
        log_fields["explanation"] = refusal.explanation
    if refusal.reason in wrong_key.REASONS:
        resources: Resources = connection.app.state.resources
        limit: wrong_key.WrongKeyLimit | None = resources.get(wrong_key.WrongKeyLimit)
        if limit is not None:  # `lockgate explain` counts nothing
            await limit.charge(connection)


def find_principal(connection: HTTPConnection) -> Principal | None:
    """Return the caller if `authenticate` has already verified the token of this request."""
    principal: Principal | None = connection.scope.get(_PRINCIPAL)
    return principal


def get_principal(connection: HTTPConnection) -> Principal:
    """Return the caller of this request, whose token `authenticate` has verified."""
    principal: Principal = connection.scope[_PRINCIPAL]
    return principal


def set_principal(connection: HTTPConnection, principal: Principal) -> None:
    """Set the caller of this request, and log it. The token, or a ticket, has been verified.

    Raises:
        WrongService: the token is for other services than that of the route.
    """
    log_fields = RequestContext.of(connection.scope).log_fields
    log_fields["caller"] = _shorten_for_log(principal.subject)
    log_fields["issuer"] = principal.issuer
    if principal.tenant:
        log_fields["tenant"] = _shorten_for_log(principal.tenant)
    if principal.services is not None:
        require_service(connection, principal.services, log_fields)
    connection.scope[_PRINCIPAL] = principal


Caller = Annotated[Principal, Depends(authenticate)]


class Authorize(SecurityBase, HeadGuard):
    """The dependency behind `requires`; OpenAPI documents it as a bearer token."""

    def __init__(self) -> None:
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = BEARER_SCHEME

    async def __call__(self, connection: HTTPConnection, required: SecurityScopes) -> Principal:
        """Admit a caller that holds every scope, or its `:any` form.

        Raises:
            Unauthenticated: no token, or one that is not valid.
            IdentityUnavailable: the token's key cannot be fetched now.
            Forbidden: a scope is missing.
        """
        principal = await authenticate(connection)
        for scope in required.scopes:
            if not principal.may(scope):
                explanation = _explain_missing(principal, required.scopes)
                raise forbid(connection.scope, "missing_scope", required.scopes, explanation)
        connection.scope[_REQUIRED_SCOPES] = (
            *get_required_scopes(connection.scope),
            *required.scopes,
        )
        return principal


class AuthorizeBound(Authorize):
    """The dependency behind `requires(dpop=True)`; OpenAPI documents it as a token with DPoP."""

    def __init__(self) -> None:
        super().__init__()
        self.model = HTTPBase(scheme="DPoP", description=_ABOUT_DPOP)
        self.scheme_name = DPOP_SCHEME

    async def __call__(self, connection: HTTPConnection, required: SecurityScopes) -> Principal:
        """Admit a caller that holds every scope, and proves the key of its token.

        Raises:
            DpopRefused: no token, one that is not valid or not bound, or no proof of its key.
            IdentityUnavailable: the token's key cannot be fetched now.
            ReplayCacheUnavailable: it is not known whether the proof was used before.
            Forbidden: a scope is missing.
        """
        try:
            await authenticate(connection)
        except Unauthenticated as refusal:
            error = "invalid_token" if refusal.token_sent else ""
            raise DpopRefused(refusal.reason, refusal.explanation, error=error) from refusal
        if not has_proof(connection.scope):
            RequestContext.of(connection.scope).log_fields["reason"] = "not_bound"
            explanation = "the route takes only tokens that are bound to a key (cnf.jkt)"
            raise DpopRefused("not_bound", explanation, error="invalid_token")
        return await super().__call__(connection, required)


_AUTHORIZE = Authorize()
_AUTHORIZE_BOUND = AuthorizeBound()


def _explain_missing(principal: Principal, scopes: Sequence[str]) -> str:
    """Name all scopes that the token lacks, and those that it has."""
    missing = [scope for scope in scopes if not principal.may(scope)]
    verb = "is" if len(missing) == 1 else "are"
    found = principal.scope_fault or show_all(sorted(principal.scopes))
    return f"{show_all(missing)} {verb} required; the token has {found}"


@dataclass(frozen=True)
class Public(HeadGuard):
    """The dependency behind `public`; `why` is the reason why the route needs no token."""

    why: str

    async def __call__(self) -> None:
        """Admit every caller."""


def get_required_scopes(scope: Scope) -> tuple[str, ...]:
    """Return the scopes that `requires` has found in the token of this request so far."""
    required: tuple[str, ...] = scope.get(_REQUIRED_SCOPES, ())
    return required


def forbid(scope: Scope, reason: str, scopes: Sequence[str], explanation: str = "") -> Forbidden:
    """Return the error for a caller without these scopes; the reason is only logged."""
    log_fields = RequestContext.of(scope).log_fields
    log_fields["reason"] = reason
    if explanation:
        log_fields["explanation"] = explanation
    return Forbidden(scopes=scopes, is_bound=has_proof(scope))


def _shorten_for_log(subject: str) -> str:
    if not subject.isprintable():
        subject = "".join(char for char in subject if char.isprintable())
    return subject[:_MAX_LOGGED_SUBJECT]
