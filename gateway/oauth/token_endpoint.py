"""`POST /oauth/token`: issues access tokens to clients (RFC 6749, section 3.2)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.auth.bound_token import NEEDS_OF_PROOFS, PROOFS_UNSUPPORTED
from gateway.dpop.dpop_verifier import DpopVerifier
from gateway.dpop.proof import InvalidProof
from gateway.oauth.client import OAuthClient
from gateway.oauth.form import Form
from gateway.oauth.grants.grant import Grants, TokenRequest
from gateway.oauth.json_response import build_json
from gateway.oauth.oauth_endpoint import OAuthEndpoint
from gateway.oauth.oauth_errors import InvalidDpopProof, UnsupportedGrantType

_TEXT = {"type": "string"}


class TokenEndpoint(OAuthEndpoint):
    """Issues a token by the grant that the request names."""

    summary = "Issue an access token"
    parameters: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "grant_type": {
            **_TEXT,
            "description": "`client_credentials`, or that of RFC 8693 for a token exchange",
        },
        "scope": {
            **_TEXT,
            "description": "Scopes separated by spaces; without it, all that the client may get",
        },
        "subject_token": {**_TEXT, "description": "The access token to exchange"},
        "subject_token_type": {**_TEXT, "description": "The type of `subject_token`"},
        "audience": {
            "type": "array",
            "items": _TEXT,
            "description": "The services that an exchanged token is for",
        },
    }
    required = ("grant_type",)
    header_fields: ClassVar[Mapping[str, str]] = {
        "DPoP": "A proof of the key to which the token shall be bound (RFC 9449, section 5)"
    }
    response: ClassVar[Mapping[str, Any]] = {
        "title": "IssuedToken",
        "type": "object",
        "properties": {
            "access_token": {**_TEXT, "description": "A JWT of the type at+jwt (RFC 9068)"},
            "token_type": {
                **_TEXT,
                "description": "Bearer; DPoP for a request with a proof",
            },
            "expires_in": {"type": "integer", "description": "Its lifetime in seconds"},
            "scope": {**_TEXT, "description": "The scopes of the token, separated by spaces"},
            "issued_token_type": {
                **_TEXT,
                "description": "Of an exchange: that of an access token",
            },
        },
        "required": ["access_token", "token_type", "expires_in", "scope"],
    }

    async def respond(self, request: Request, client: OAuthClient, form: Form) -> Response:
        """Respond with the token.

        Raises:
            OAuthError: the client may not have it.
            GatewayError: a part of the gateway is unavailable.
        """
        grants: Grants = request.app.state.resources[Grants]
        grant = grants.get(form.require("grant_type"))
        if grant is None:
            raise UnsupportedGrantType(f"The grants are {', '.join(grants)}.")
        key_thumbprint = await _read_key(request)
        issued = await grant.issue(TokenRequest(client, form, request, key_thumbprint))
        return build_json(issued.build_document())


async def _read_key(request: Request) -> str | None:
    """Return the thumbprint of the key that the client proves; None without a proof.

    Raises:
        InvalidDpopProof: the proof is not valid, or this gateway can verify none.
        ReplayCacheUnavailable: it is not known whether it was used before.
    """
    proofs: DpopVerifier | None = request.app.state.resources.get(DpopVerifier)
    if proofs is None:
        if "dpop" in request.headers:
            raise InvalidDpopProof(f"{PROOFS_UNSUPPORTED}: {NEEDS_OF_PROOFS}")
        return None
    try:
        return await proofs.read_key(request.scope)
    except InvalidProof as error:
        raise InvalidDpopProof(f"{error.reason}: {error.explanation}") from None
