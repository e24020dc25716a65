"""The identity provider of the demo: signs development tokens with keys that live in memory only.

A key is made afresh at each start and written nowhere, so its tokens are worth nothing elsewhere.
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

from gateway.demo.service import problem

ISSUER = "https://identity.demo.invalid"
AUDIENCE = "lockgate-demo"

DISCOVERY_PATH = "/.well-known/openid-configuration"
JWKS_PATH = "/.well-known/jwks.json"
TOKEN_PATH = "/token"  # noqa: S105 - a path

_ALGORITHM = "RS256"
_LIFETIME_SECONDS = 3_600


class DevelopmentIssuer:
    """Signs tokens (RS256, 2048 bits) and publishes the keys they are verified with.

    Making a key takes up to some tenths of a second and does not give way to the event loop.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self.rotate()

    @property
    def kid(self) -> str:
        """The id of the key in use, the newest."""
        return next(reversed(self._keys))

    def rotate(self) -> str:
        """Sign with a new key from now on; the old ones stay published. Gives the new `kid`."""
        kid = secrets.token_urlsafe(12)
        self._keys[kid] = _new_key()
        return kid

    def retire(self) -> None:
        """Publish the key in use alone: tokens of older ones are no longer valid."""
        self._keys = {self.kid: self._keys[self.kid]}

    def token(
        self,
        subject: str,
        *,
        scopes: Sequence[str] = (),
        audience: str = AUDIENCE,
        lifetime_seconds: float = _LIFETIME_SECONDS,
        claims: Mapping[str, object] | None = None,
    ) -> str:
        """A token for `subject`; `claims` are added, and win over those set here."""
        now = int(self._clock())
        body: dict[str, object] = {
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
        return jwt.encode(body, self._keys[kid], algorithm=_ALGORITHM, headers={"kid": kid})

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys, as a JSON Web Key Set (RFC 7517, section 5)."""
        return {
            "keys": [
                {**key.public_key().to_dict(), "kid": kid, "use": "sig"}
                for kid, key in self._keys.items()
            ]
        }

    def app(self) -> ASGIApp:
        """The provider on the wire: its discovery document, its keys, and tokens for the asking."""
        return Starlette(
            routes=[
                Route(DISCOVERY_PATH, self._discover),
                Route(JWKS_PATH, self._publish),
                Route(TOKEN_PATH, self._issue, methods=["POST"]),
            ]
        )

    async def _publish(self, _: Request) -> Response:
        return JSONResponse(self.jwks())

    async def _discover(self, request: Request) -> Response:
        """OpenID Connect Discovery 1.0, section 3, as far as a resource server reads it."""
        return JSONResponse(
            {
                "issuer": ISSUER,
                "jwks_uri": str(request.base_url.replace(path=JWKS_PATH)),
                "id_token_signing_alg_values_supported": [_ALGORITHM],
                "response_types_supported": ["token"],
                "subject_types_supported": ["public"],
            }
        )

    async def _issue(self, request: Request) -> Response:
        """`POST /token?sub=7&scope=a b`: whoever can reach the demo may have any token of it."""
        subject, scope = (request.query_params.get(name, "") for name in ("sub", "scope"))
        if not subject:
            return problem(422, "sub is missing: whose token is it to be?")
        issued = {
            "access_token": self.token(subject, scopes=scope.split()),
            "token_type": "Bearer",
            "expires_in": _LIFETIME_SECONDS,
            "scope": scope,
        }
        return JSONResponse(issued, headers={"Cache-Control": "no-store"})


def _new_key() -> Key:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return jwk.construct(pem, _ALGORITHM)
