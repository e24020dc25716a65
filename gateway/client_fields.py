"""The client and the request target as upstream calls report them to services.

They come from what the gateway has found out itself (`client_ip.py`), never from a field that a
client could have sent. `X-Forwarded-Proto` and `X-Forwarded-Host` count if a trusted proxy sent the
request.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Any, Literal

from starlette.requests import HTTPConnection

from gateway.client_ip import find_client_address, is_from_proxy
from gateway.forwarded_fields import IpAddress
from gateway.settings.schema import Server

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class ClientFields:
    """Returns the fields that tell a service about the client of a request, in one of two forms.

    `x-forwarded-for` sends `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`;
    `forwarded` sends `Forwarded` (RFC 7239). Each has one hop, the client.
    """

    def __init__(self, form: Literal["x-forwarded-for", "forwarded"], server: Server) -> None:
        self._form = form
        self._server = server

    def __call__(self, scope: Mapping[str, Any]) -> dict[str, str]:
        """Return the fields for the calls of a request."""
        connection = HTTPConnection(dict(scope))
        address = find_client_address(connection, self._server).ip
        proto, host = self._find_target(connection)
        if self._form == "forwarded":
            return {"forwarded": _format_forwarded(address, proto, host)}
        fields = {
            "x-forwarded-for": str(address or ""),
            "x-forwarded-proto": proto,
            "x-forwarded-host": host,
        }
        return {name: value for name, value in fields.items() if value}

    def _find_target(self, connection: HTTPConnection) -> tuple[str, str]:
        """Return the scheme and the host that the client has used; "" for an invalid host."""
        proto, host = connection.scope["scheme"], connection.headers.get("host", "")
        if is_from_proxy(connection, self._server):
            proto = _get_last(connection, "x-forwarded-proto") or proto
            host = _get_last(connection, "x-forwarded-host") or host
        return _SCHEMES.get(proto.lower(), "http"), host if _HOST.fullmatch(host) else ""


def _get_last(connection: HTTPConnection, name: str) -> str:
    """Return the value that the nearest proxy has added to a list."""
    values = connection.headers.getlist(name)
    return values[-1].rpartition(",")[2].strip(" \t") if values else ""


def _format_forwarded(address: IpAddress | None, proto: str, host: str) -> str:
    node = "unknown" if address is None else str(address)
    node = f'"[{node}]"' if isinstance(address, IPv6Address) else node
    return f"for={node};proto={proto}" + (f';host="{host}"' if host else "")
