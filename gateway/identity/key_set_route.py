"""GET /.well-known/jwks.json: the public keys of the internal tokens, for the services."""

import hashlib
import json

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.auth.dependencies import public
from gateway.entity_tag import is_not_modified
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_timetable import KEY_SET_MAX_AGE
from gateway.resources import Resource

KEY_SET_PATH = "/.well-known/jwks.json"

router = APIRouter(
    include_in_schema=False,
    dependencies=[public("services verify internal tokens with them")],
)


@router.get(KEY_SET_PATH)
async def get_key_set(tokens: Resource[InternalTokens], request: Request) -> Response:
    """The JWK Set (RFC 7517, section 5)."""
    content = json.dumps({"keys": tokens.list_public_jwks()}).encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": f"public, max-age={KEY_SET_MAX_AGE}"}
    if is_not_modified(request.headers, etag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/jwk-set+json", headers=headers)
