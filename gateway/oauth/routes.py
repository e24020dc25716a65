"""The routes of OAuth, which exist only if it is on."""

from fastapi import APIRouter
from starlette.responses import Response

from gateway.auth.dependencies import public
from gateway.oauth import token_endpoint
from gateway.oauth.form import MAX_BYTES
from gateway.oauth.token_endpoint import TokenEndpoint

router = APIRouter(
    tags=["oauth"], dependencies=[public("clients authenticate with a secret or an assertion")]
)

router.add_api_route(
    token_endpoint.PATH,
    TokenEndpoint(),
    methods=["POST"],
    response_class=Response,
    response_model=None,
    max_body_size=MAX_BYTES,
)
