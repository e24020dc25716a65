"""Reads the access token from the `Authorization: Bearer` header (RFC 6750, section 2.1)."""

from string import ascii_letters, digits

from starlette.requests import HTTPConnection

from gateway.auth.jwt.malformed import explain_credentials
from gateway.errors.tree import Unauthenticated

_B64TOKEN_CHARACTERS = f"{ascii_letters}{digits}-._~+/".encode()


def extract_bearer_token(connection: HTTPConnection) -> str:
    """Return the bearer token of the request.

    Raises:
        Unauthenticated: the request has no `Authorization` header, more than one, another
            scheme than `Bearer`, or a token with characters that RFC 6750 does not allow.
    """
    authorization: bytes | None = None
    for name, value in connection.scope["headers"]:
        if name == b"authorization":
            if authorization is not None:
                raise Unauthenticated("multiple_authorization_headers")
            authorization = value
    if authorization is None:
        raise Unauthenticated("no_token", token_sent=False)
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() != b"bearer":
        explanation = "the scheme is not Bearer; send Authorization: Bearer and the token"
        raise Unauthenticated("unsupported_scheme", explanation, token_sent=False)
    token = credentials.strip(b" ")
    # Deleting all allowed characters and checking that nothing is left takes half the time of a
    # regular expression.
    unpadded = token.rstrip(b"=")
    if not unpadded or unpadded.translate(None, _B64TOKEN_CHARACTERS):
        raise Unauthenticated("malformed", explain_credentials(token))
    return token.decode("ascii")
