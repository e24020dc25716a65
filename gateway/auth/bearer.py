"""The access token of a request: its one `Authorization: Bearer` header (RFC 6750, 2.1)."""

import re

from starlette.requests import HTTPConnection

from gateway.errors import Unauthenticated

_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


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
    scheme, _, credentials = headers[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("other_scheme", token_sent=False)
    token = credentials.strip(" ")
    if not _B64TOKEN.fullmatch(token):
        raise Unauthenticated("malformed")
    return token
