"""The routes of OAuth, which exist only if it is on."""

from fastapi import APIRouter
from starlette.responses import Response

from gateway.auth.dependencies import public
from gateway.oauth import introspection_endpoint, revocation_endpoint, token_endpoint
from gateway.oauth.form import MAX_BYTES
from gateway.oauth.introspection_endpoint import IntrospectionEndpoint
from gateway.oauth.revocation_endpoint import RevocationEndpoint
from gateway.oauth.token_endpoint import TokenEndpoint

router = APIRouter(
    tags=["oauth"], dependencies=[public("clients authenticate with a secret or an assertion")]
)

for _path, _endpoint in (
    (token_endpoint.PATH, TokenEndpoint()),
    (introspection_endpoint.PATH, IntrospectionEndpoint()),
    (revocation_endpoint.PATH, RevocationEndpoint()),
):
    router.add_api_route(
        _path,
        _endpoint,
        methods=["POST"],
        response_class=Response,
        response_model=None,
        max_body_size=MAX_BYTES,
    )
