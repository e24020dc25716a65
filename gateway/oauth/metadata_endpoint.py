"""`GET /.well-known/oauth-authorization-server`: how clients use the gateway (RFC 8414)."""

from collections.abc import Mapping
from typing import Any

from pydantic import HttpUrl
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.dpop.dpop_verifier import DpopVerifier
from gateway.identity.key_set_route import KEY_SET_PATH
from gateway.oauth.grants.grant import Grants
from gateway.oauth.json_response import build_json
from gateway.resources import Resources
from gateway.routing.response_endpoint import ResponseEndpoint
from gateway.settings.public_url import find_public_url
from gateway.settings.schema import ALGORITHMS, Settings

METADATA_PATH = "/.well-known/oauth-authorization-server"

MAX_AGE = 300
"""The seconds for which a client may cache the document."""

_METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]


class MetadataEndpoint(ResponseEndpoint):
    """Responds with the metadata; `endpoints` are the paths by the names that the RFC gives them.

    The path of an issuer that has one may be appended (RFC 8414, section 3.1).
    """

    def __init__(self, endpoints: Mapping[str, str]) -> None:
        self._endpoints = endpoints

    async def __call__(self, request: Request) -> Response:
        """Respond with the document.

        Raises:
            HTTPException: 404, the appended path is not that of the issuer.
        """
        settings: Settings = request.app.state.settings
        appended = request.path_params.get("issuer_path")
        if appended is not None and f"/{appended}" != HttpUrl(str(settings.identity.issuer)).path:
            raise HTTPException(404)
        document = self._build_document(settings, request.app.state.resources)
        return build_json(document, headers={"Cache-Control": f"public, max-age={MAX_AGE}"})

    def _build_document(self, settings: Settings, resources: Resources) -> dict[str, Any]:
        base, grants = find_public_url(settings), resources[Grants]
        document: dict[str, Any] = {
            "issuer": settings.identity.issuer,
            "jwks_uri": base + KEY_SET_PATH,
            "grant_types_supported": list(grants),
            "response_types_supported": [],
        }
        if DpopVerifier in resources:
            document["dpop_signing_alg_values_supported"] = ALGORITHMS
        for name, path in self._endpoints.items():
            document[name] = base + path
            document[f"{name}_auth_methods_supported"] = _METHODS
            document[f"{name}_auth_signing_alg_values_supported"] = ALGORITHMS
        return document
