"""`POST /oauth/introspect`: says whether a token is valid, and what it says (RFC 7662).

A client may ask about

- an access token that the gateway accepts, its own or one of a provider; a token for some services
  alone only if it was issued to the client, or the client is one of these services;
- an internal token for the service that has the id of the client.

Every other token is not active: what is wrong with it is for the log alone. An API key is no token.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.api_keys.api_key import PREFIX
from gateway.auth.jwt.claim_path import Claims
from gateway.auth.jwt.confirmation import read_key_thumbprint
from gateway.auth.jwt.jws import parse_jws
from gateway.auth.principal import Principal
from gateway.auth.verifier import TokenVerifier
from gateway.errors.tree import Unauthenticated
from gateway.oauth.client import OAuthClient
from gateway.oauth.form import Form
from gateway.oauth.internal_token_verifier import InternalTokenVerifier
from gateway.oauth.json_response import build_json
from gateway.oauth.oauth_endpoint import OAuthEndpoint
from gateway.request_context import RequestContext
from gateway.resources import Resources

_INACTIVE = {"active": False}

_TEXT = {"type": "string"}
_DATE = {"type": "integer"}

# RFC 7662, section 2.2; RFC 8693, section 4; RFC 7800; RFC 9493; and one of the gateway.
_SHOWN = ("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "cnf", "act", "sub_id", "services")


class IntrospectionEndpoint(OAuthEndpoint):
    """Describes tokens to clients."""

    summary = "Say whether a token is valid"
    parameters: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "token": {**_TEXT, "description": "An access token, or an internal token for the client"},
        "token_type_hint": {**_TEXT, "description": "Makes no difference"},
    }
    required = ("token",)
    response: ClassVar[Mapping[str, Any]] = {
        "title": "TokenDescription",
        "description": "The claims of an active token; nothing but `active` of any other",
        "type": "object",
        "properties": {
            "active": {"type": "boolean", "description": "Whether the token is valid now"},
            "token_type": {**_TEXT, "description": "Bearer or DPoP"},
            "iss": _TEXT,
            "sub": _TEXT,
            "jti": _TEXT,
            "client_id": {**_TEXT, "description": "The client that got the token"},
            "scope": {**_TEXT, "description": "The scopes of the token, separated by spaces"},
            "exp": _DATE,
            "iat": _DATE,
            "user_id": _TEXT,
            "tenant": _TEXT,
        },
        "required": ["active"],
    }

    async def respond(self, request: Request, client: OAuthClient, form: Form) -> Response:
        """Respond with the description of the token; `token_type_hint` makes no difference.

        Raises:
            InvalidRequest: there is no token.
            IdentityUnavailable: its key is not known and cannot be fetched now.
            DatabaseUnavailable: the revocations or the signing keys have not been read yet.
        """
        token = form.require("token")
        try:
            document = await _describe(request.app.state.resources, client, token)
        except Unauthenticated as refusal:
            log_fields = RequestContext.of(request.scope).log_fields
            log_fields["reason"] = refusal.reason
            if refusal.explanation:
                log_fields["explanation"] = refusal.explanation
            document = _INACTIVE
        return build_json(document)


async def _describe(resources: Resources, client: OAuthClient, token: str) -> Mapping[str, Any]:
    """Describe a token that is active for this client.

    Raises:
        Unauthenticated: it is not.
    """
    if token.startswith(PREFIX):
        raise Unauthenticated("wrong_type", "it is an API key")
    internal: InternalTokenVerifier = resources[InternalTokenVerifier]
    claims = internal.read(token)
    if claims is not None:
        internal.check(claims, client.id)
        names = ("client_id", "scope", "user_id", "tenant")
        return _build_document(claims, {name: claims.get(name) for name in names})
    verifier: TokenVerifier = resources[TokenVerifier]
    principal = await verifier.verify(token)
    _require_party(principal, client)
    about_caller = {
        "client_id": principal.client,
        "scope": " ".join(sorted(principal.scopes)),
        "user_id": principal.user_id,
        "tenant": principal.tenant,
    }
    return _build_document(parse_jws(token).payload, about_caller)


def _require_party(principal: Principal, client: OAuthClient) -> None:
    """Require that a token for some services alone is the client's, or for it."""
    services = principal.services
    if services is not None and client.id not in {principal.client, *services}:
        raise Unauthenticated("wrong_service", "the token is neither for the client nor its own")


def _build_document(claims: Claims, about_caller: Mapping[str, Any]) -> Mapping[str, Any]:
    """Build the description of an active token from its verified claims."""
    is_bound = read_key_thumbprint(claims) is not None
    shown = {name: claims.get(name) for name in _SHOWN} | dict(about_caller)
    return {
        "active": True,
        "token_type": "DPoP" if is_bound else "Bearer",
        **{name: value for name, value in shown.items() if value is not None},
    }
