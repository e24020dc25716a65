"""The routes of OAuth, which exist only if it is on."""

from collections.abc import Mapping

from fastapi import APIRouter, Depends
from starlette.responses import Response

from gateway.auth.dependencies import public
from gateway.oauth import revocation_endpoint
from gateway.oauth.endpoint_description import (
    ClientSecretBasic,
    describe_operation,
    describe_responses,
)
from gateway.oauth.form import MAX_BYTES
from gateway.oauth.introspection_endpoint import IntrospectionEndpoint
from gateway.oauth.metadata_endpoint import METADATA_PATH, MetadataEndpoint
from gateway.oauth.oauth_endpoint import OAuthEndpoint
from gateway.oauth.revocation_endpoint import RevocationEndpoint
from gateway.oauth.token_endpoint import TokenEndpoint

ENDPOINTS: Mapping[str, tuple[str, OAuthEndpoint]] = {
    "token_endpoint": ("/oauth/token", TokenEndpoint()),
    "introspection_endpoint": ("/oauth/introspect", IntrospectionEndpoint()),
    "revocation_endpoint": (revocation_endpoint.PATH, RevocationEndpoint()),
}
"""Paths and endpoints for clients, by the names of RFC 8414."""

router = APIRouter()

for _path, _endpoint in ENDPOINTS.values():
    router.add_api_route(
        _path,
        _endpoint,
        methods=["POST"],
        tags=["oauth"],
        summary=_endpoint.summary,
        dependencies=[
            public("clients authenticate with a secret or an assertion"),
            Depends(ClientSecretBasic()),
        ],
        response_class=Response,
        response_model=None,
        responses=describe_responses(_endpoint),
        openapi_extra=describe_operation(_endpoint),
        max_body_size=MAX_BYTES,
    )

_metadata = MetadataEndpoint({name: path for name, (path, _) in ENDPOINTS.items()})

for _path in (METADATA_PATH, f"{METADATA_PATH}/{{issuer_path:path}}"):
    router.add_api_route(
        _path,
        _metadata,
        dependencies=[public("clients read there how to get a token")],
        response_class=Response,
        response_model=None,
        include_in_schema=False,
    )
