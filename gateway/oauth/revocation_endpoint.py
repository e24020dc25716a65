"""`POST /oauth/revoke`: revokes an access token that the client itself has got (RFC 7009)."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.api_keys.api_key import PREFIX
from gateway.auth.principal import Principal
from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.revocation_index import Revocation, RevocationKind
from gateway.auth.verifier import TokenVerifier
from gateway.errors.tree import Unauthenticated
from gateway.oauth.client import OAuthClient
from gateway.oauth.form import Form
from gateway.oauth.internal_token_verifier import InternalTokenVerifier
from gateway.oauth.json_response import NO_STORE
from gateway.oauth.oauth_endpoint import OAuthEndpoint
from gateway.oauth.oauth_errors import InvalidRequest, UnsupportedTokenType
from gateway.oauth.own_token_keys import OwnTokenVerifier
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.partition import digest
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.require_admission import require_admission
from gateway.ratelimit.reserved_policy_names import OAUTH_REVOCATIONS
from gateway.request_context import RequestContext
from gateway.resources import Resources
from gateway.revocation.named_tokens import MAX_SKEW_SECONDS
from gateway.revocation.revoke import revoke
from gateway.storage.journal import Author
from gateway.storage.open_storage import Storage

PATH = "/oauth/revoke"

REVOCATIONS = RateLimit(OAUTH_REVOCATIONS, "120/minute", per="service")
"""Bounds what one client writes into the database."""


class RevocationEndpoint(OAuthEndpoint):
    """Revokes tokens for the clients that got them."""

    summary = "Revoke an access token"
    parameters: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "token": {"type": "string", "description": "An access token that the client has got here"},
        "token_type_hint": {"type": "string", "description": "Makes no difference"},
    }
    required = ("token",)

    async def respond(self, request: Request, client: OAuthClient, form: Form) -> Response:
        """Revoke a token; one that is unknown, expired or revoked already is no error.

        `token_type_hint` makes no difference: a token says itself what it is.

        Raises:
            InvalidRequest: there is no token, or another client got it.
            UnsupportedTokenType: the token is valid here, and the gateway has not issued it.
            QuotaExceeded: the client has revoked too many.
            IdentityUnavailable: its key is not known and cannot be fetched now.
            DatabaseUnavailable: the revocation could not be stored, or is not in force here yet.
        """
        token, resources = form.require("token"), request.app.state.resources
        own: OwnTokenVerifier = resources[OwnTokenVerifier]
        try:
            principal = await own.verify(token)
        except Unauthenticated as refusal:
            await _refuse_others(resources, token)
            RequestContext.of(request.scope).log_fields["reason"] = refusal.reason
        else:
            if principal.client != client.id:
                raise InvalidRequest("The token was issued to another client.")
            revocations: RevocationCheck = resources[RevocationCheck]
            if not revocations.is_revoked(principal):
                await _charge(request, client)
                await _revoke(resources, principal, client)
        return Response(headers=NO_STORE)


async def _refuse_others(resources: Resources, token: str) -> None:
    """Refuse a token that stays valid after the response.

    Raises:
        UnsupportedTokenType: it is of a provider, or an internal token, or looks like an API key.
    """
    internal: InternalTokenVerifier = resources[InternalTokenVerifier]
    verifier: TokenVerifier = resources[TokenVerifier]
    # To look a key up would count as its use.
    if internal.read(token) is None and not token.startswith(PREFIX):
        try:
            await verifier.verify(token)
        except Unauthenticated:
            return
    raise UnsupportedTokenType("Only access tokens that this server has issued can be revoked.")


async def _charge(request: Request, client: OAuthClient) -> None:
    limits: Limits = request.app.state.resources[Limits]
    demand = Demand(REVOCATIONS, f"client:{digest(client.id)}")
    await require_admission(limits, [demand], RequestContext.of(request.scope))


async def _revoke(resources: Resources, principal: Principal, client: OAuthClient) -> None:
    """Store the revocation, and put it in force in this process; the others follow by themselves.

    It lasts as long as the clock tolerance of any verifier would let the token live.
    """
    expires_at = principal.expires_at + MAX_SKEW_SECONDS
    token_id = principal.token_id or ""
    named = Revocation(RevocationKind.TOKEN, principal.token_issuer, token_id, 0.0, expires_at)
    author = Author(f"client {client.id}", f"POST {PATH}")
    storage: Storage = resources[Storage]
    await storage.database.write(partial(revoke, revocation=named, author=author))
    await storage.feed.refresh()
