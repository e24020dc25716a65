"""Checks the web page that opens a WebSocket: browsers send cookies and tickets for any page."""

import re

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from gateway.client_fields import ClientFields
from gateway.middleware.cors_policy import CorsPolicy
from gateway.proxy.websocket.caller_handshake import get_values
from gateway.request_context import RequestContext
from gateway.settings.origins import serialize_origin
from gateway.settings.schema import Server

_MAX_LOGGED = 128  # characters
_PORT = re.compile(r":\d{1,5}$")


class OriginCheck:
    """Admits pages of the gateway's own origin, and of `server.cors_origins`.

    CORS does not cover WebSockets: a browser opens one for any page, and only reports its `Origin`
    (RFC 6455, 10.2). A handshake without `Origin` does not come from a page.
    """

    def __init__(self, server: Server) -> None:
        self._policy = CorsPolicy(server)
        self._get_fields = ClientFields("x-forwarded-for", server)

    def check(self, connection: HTTPConnection) -> None:
        """Check `Origin` against scheme and host as the caller has used them.

        Raises:
            HTTPException: 403, a page of another origin.
        """
        origins = get_values(connection.scope["headers"], b"origin")
        if not origins:
            return
        own = self._find_own(connection)
        if len(origins) == 1 and self._is_allowed(origins[0], own):
            return
        origin = origins[0].decode("latin-1")[:_MAX_LOGGED]
        RequestContext.of(connection.scope).log_fields["explanation"] = (
            f"Origin is {origin!r}; that of the gateway is {own or 'unknown'}"
            f" ({_explain_own(origin, own)}), and server.cors_origins has the others"
        )
        raise HTTPException(403, "Pages of this origin must not open a WebSocket here.")

    def _is_allowed(self, origin: bytes, own: str) -> bool:
        return serialize_origin(origin.decode("latin-1")) == own or self._policy.allows(origin)

    def _find_own(self, connection: HTTPConnection) -> str:
        """Return the origin of the gateway as the caller sees it; "" if the host is not known."""
        fields = self._get_fields(connection.scope)
        host = fields.get("x-forwarded-host")
        return serialize_origin(f"{fields['x-forwarded-proto']}://{host}") if host else ""


def _explain_own(origin: str, own: str) -> str:
    """Return what is probably missing if both origins are meant to be the same."""
    if own and _PORT.sub("", own) == _PORT.sub("", serialize_origin(origin)):
        return "the proxy in front must send Host with the port: $http_host in nginx"
    return (
        "behind a proxy with TLS, it must send X-Forwarded-Proto, and server.trusted_proxies must "
        "have its address"
    )
