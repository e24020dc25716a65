"""Services that verify internal tokens from the published key set, with two JWT libraries."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt
from jose import jwt as jose_jwt
from jose.exceptions import JOSEError

from gateway.identity.signing_key import TOKEN_TYPE

GATEWAY = "https://gateway.example.com"

Jwks = Sequence[Mapping[str, str]]
Verify = Callable[[str, Jwks, str, float], dict[str, Any]]


class Refused(Exception):
    """The service refuses the token."""


def verify_with_python_jose(token: str, jwks: Jwks, service: str, now: float) -> dict[str, Any]:
    """Verify as a service with python-jose does; its times are checked here, by the clock `now`.

    Raises:
        Refused: the token is not a valid one for this service.
    """
    try:
        header = jose_jwt.get_unverified_header(token)
        keys = [jwk for jwk in jwks if jwk["kid"] == header["kid"]]
        if header["typ"] != TOKEN_TYPE or not keys:
            raise Refused(header)
        options = {"verify_exp": False}
        claims: dict[str, Any] = jose_jwt.decode(
            token, keys[0], [keys[0]["alg"]], options, audience=service, issuer=GATEWAY
        )
    except JOSEError as error:
        raise Refused from error
    return _check_expiry(claims, now)


def verify_with_pyjwt(token: str, jwks: Jwks, service: str, now: float) -> dict[str, Any]:
    """Verify as a service with PyJWT does; its times are checked here, by the clock `now`.

    Raises:
        Refused: the token is not a valid one for this service.
    """
    try:
        header = jwt.get_unverified_header(token)
        keys = {key.key_id: key for key in jwt.PyJWKSet([dict(jwk) for jwk in jwks]).keys}
        if header["typ"] != TOKEN_TYPE or header["kid"] not in keys:
            raise Refused(header)
        claims: dict[str, Any] = jwt.decode(
            token,
            keys[header["kid"]],
            algorithms=["ES256", "EdDSA"],
            audience=service,
            issuer=GATEWAY,
            options={
                "require": ["exp", "iat", "sub", "jti"],
                "verify_exp": False,
                "verify_iat": False,
            },
        )
    except jwt.PyJWTError as error:
        raise Refused from error
    return _check_expiry(claims, now)


def _check_expiry(claims: dict[str, Any], now: float) -> dict[str, Any]:
    if not claims["iat"] <= now < claims["exp"]:
        raise Refused(claims)
    return claims


VERIFIERS: Sequence[Verify] = (verify_with_python_jose, verify_with_pyjwt)
