"""The access token of a request: its one `Authorization: Bearer` header (RFC 6750, 2.1)."""

from string import ascii_letters, digits

from starlette.requests import HTTPConnection

from gateway.errors.tree import Unauthenticated

_B64TOKEN_CHARACTERS = f"{ascii_letters}{digits}-._~+/".encode()


def token_of(connection: HTTPConnection) -> str:
    """The token the request carries.

    Raises:
        Unauthenticated: it carries none, more than one, or something that is not one.
    """
    sent: list[tuple[bytes, bytes]] = connection.scope["headers"]
    headers = [value for name, value in sent if name == b"authorization"]
    if not headers:
        raise Unauthenticated("no_token", token_sent=False)
    if len(headers) > 1:
        raise Unauthenticated("two_authorizations")
    scheme, _, credentials = headers[0].partition(b" ")
    if scheme.lower() != b"bearer":
        raise Unauthenticated("other_scheme", token_sent=False)
    token = credentials.strip(b" ")
    # To take out what may be there and see if anything is left costs half of what a pattern does.
    bare = token.rstrip(b"=")
    if not bare or bare.translate(None, _B64TOKEN_CHARACTERS):
        raise Unauthenticated("malformed")
    return token.decode("ascii")
