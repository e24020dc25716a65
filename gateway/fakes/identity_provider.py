"""The development identity provider: signs development tokens with keys that it keeps in memory.

It generates a new key at each start and stores it nowhere, so no other gateway accepts its tokens.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk, jwt
from jose.backends.base import Key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.fakes.identity_endpoints import (
    AUDIENCE,
    DISCOVERY_PATH,
    ISSUER,
    JWKS_PATH,
    TOKEN_PATH,
)
from gateway.fakes.json_service import problem_response

_ALGORITHM = "RS256"
_LIFETIME_SECONDS = 3_600


class DevelopmentIssuer:
    """Signs tokens (RS256, 2048 bits) and publishes the public keys.

    Generating a key takes up to 0.5 s and blocks the event loop.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self.rotate()

    @property
    def kid(self) -> str:
        """The id of the signing key, which is the newest."""
        return next(reversed(self._keys))

    def rotate(self) -> str:
        """Sign with a new key from now on and return its `kid`. Old keys stay published."""
        kid = secrets.token_urlsafe(12)
        self._keys[kid] = _generate_key()
        return kid

    def retire_old_keys(self) -> None:
        """Publish only the signing key: tokens signed with older keys become invalid."""
        self._keys = {self.kid: self._keys[self.kid]}

    def issue_token(
        self,
        subject: str,
        *,
        scopes: Sequence[str] = (),
        audience: str = AUDIENCE,
        lifetime_seconds: float = _LIFETIME_SECONDS,
        claims: Mapping[str, object] | None = None,
    ) -> str:
        """Sign a token for `subject`. `claims` are added and override the standard ones."""
        now = int(self._clock())
        payload: dict[str, object] = {
            "iss": ISSUER,
            "sub": subject,
            "aud": audience,
            "iat": now,
            "exp": int(now + lifetime_seconds),
            "jti": secrets.token_urlsafe(12),
            "scope": " ".join(scopes),
            **(claims or {}),
        }
        kid = self.kid
        return jwt.encode(payload, self._keys[kid], algorithm=_ALGORITHM, headers={"kid": kid})

    def export_jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys as a JSON Web Key Set (RFC 7517, section 5)."""
        return {
            "keys": [
                {**key.public_key().to_dict(), "kid": kid, "use": "sig"}
                for kid, key in self._keys.items()
            ]
        }

    def create_app(self, *, default_user: str = "", default_scopes: Sequence[str] = ()) -> ASGIApp:
        """Create the provider's app: discovery document, keys, and a token endpoint.

        The token endpoint issues any token without authentication: `POST /token?sub=7&scope=a b`,
        also with `&audience=...`. The defaults apply to a request without `sub` or without `scope`.
        """

        async def post_token(request: Request) -> Response:
            query = request.query_params
            return self._issue(
                query.get("sub", default_user),
                query.get("scope", " ".join(default_scopes)),
                query.get("audience", AUDIENCE),
            )

        return Starlette(
            routes=[
                Route(DISCOVERY_PATH, self._get_discovery),
                Route(JWKS_PATH, self._get_jwks),
                Route(TOKEN_PATH, post_token, methods=["POST"]),
            ]
        )

    async def _get_jwks(self, _: Request) -> Response:
        return JSONResponse(self.export_jwks())

    async def _get_discovery(self, request: Request) -> Response:
        """Return the members that a resource server reads (OpenID Connect Discovery 1.0, 3)."""
        return JSONResponse(
            {
                "issuer": ISSUER,
                "jwks_uri": str(request.base_url.replace(path=JWKS_PATH)),
                "id_token_signing_alg_values_supported": [_ALGORITHM],
                "response_types_supported": ["token"],
                "subject_types_supported": ["public"],
            }
        )

    def _issue(self, subject: str, scope: str, audience: str) -> Response:
        if not subject:
            return problem_response(422, "sub is missing: name the user of the token.")
        issued = {
            "access_token": self.issue_token(subject, scopes=scope.split(), audience=audience),
            "token_type": "Bearer",
            "expires_in": _LIFETIME_SECONDS,
            "scope": scope,
        }
        return JSONResponse(issued, headers={"Cache-Control": "no-store"})


def _generate_key() -> Key:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return jwk.construct(pem, _ALGORITHM)
