"""Reads the access token from `Authorization`.

The schemes are `Bearer` (RFC 6750, section 2.1) and `DPoP` (RFC 9449, section 7.1). A token has the
same characters under both.
"""

from enum import Enum
from string import ascii_letters, digits

from starlette.requests import HTTPConnection

from gateway.auth.jwt.malformed import explain_credentials
from gateway.errors.tree import DpopRefused, Unauthenticated

_B64TOKEN_CHARACTERS = f"{ascii_letters}{digits}-._~+/".encode()


class TokenScheme(Enum):
    """How a token is sent: alone, or with a proof that the client holds its key."""

    BEARER = b"bearer"
    DPOP = b"dpop"


_BEARER = TokenScheme.BEARER.value


def extract_token(connection: HTTPConnection) -> tuple[TokenScheme, str]:
    """Return the scheme and the access token of the request.

    Raises:
        Unauthenticated: the request has no `Authorization` header, more than one, another
            scheme, or a token with characters that RFC 6750 does not allow.
        DpopRefused: the scheme is `DPoP`, and the token has such characters.
    """
    authorization: bytes | None = None
    for name, value in connection.scope["headers"]:
        if name == b"authorization":
            if authorization is not None:
                raise Unauthenticated("multiple_authorization_headers")
            authorization = value
    if authorization is None:
        raise Unauthenticated("no_token", token_sent=False)
    name, _, credentials = authorization.partition(b" ")
    name = name.lower()
    scheme = TokenScheme.BEARER if name == _BEARER else _find_scheme(name)
    token = credentials.strip(b" ")
    # Deleting all allowed characters and checking that nothing is left takes half the time of a
    # regular expression.
    unpadded = token.rstrip(b"=")
    if not unpadded or unpadded.translate(None, _B64TOKEN_CHARACTERS):
        explanation = explain_credentials(token)
        if scheme is TokenScheme.DPOP:
            raise DpopRefused("malformed", explanation, error="invalid_token")
        raise Unauthenticated("malformed", explanation)
    return scheme, token.decode("ascii")


def _find_scheme(name: bytes) -> TokenScheme:
    try:
        return TokenScheme(name)
    except ValueError:
        explanation = "the scheme is neither Bearer nor DPoP; send one of them and the token"
        raise Unauthenticated("unsupported_scheme", explanation, token_sent=False) from None
