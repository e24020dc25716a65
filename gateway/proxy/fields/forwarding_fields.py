"""The fields that tell a service about the client of a proxied request.

`X-Forwarded-For`, `-Proto`, `-Host` and `-Port` are always sent, `Forwarded` (RFC 7239) if the
settings of the service ask for it. They have one hop, the client: whichever end of the list a
service reads, it finds the same address.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from starlette.requests import HTTPConnection
from starlette.types import Scope

from gateway.client_fields import ClientFields
from gateway.client_ip import is_from_proxy
from gateway.settings.schema import Server, Service

RawFields = Sequence[tuple[bytes, bytes]]

_MAX_CACHED = 1_024
_MAX_CACHED_BYTES = 512
_PORT = re.compile(r"[0-9]{1,5}")
_DEFAULT_PORTS = {"http": "80", "https": "443"}

_Inputs = tuple[str | None, str, tuple[tuple[bytes, bytes], ...]]


class ForwardingFields:
    """Builds these fields, once for the requests of one client that have the same `Host`."""

    def __init__(self, service: Service, server: Server) -> None:
        self._server = server
        self._get_x_forwarded = ClientFields("x-forwarded-for", server)
        self._get_forwarded = (
            ClientFields("forwarded", server)
            if service.forward_client_address == "forwarded"
            else None
        )
        self._build_cached = lru_cache(maxsize=_MAX_CACHED)(self._build)

    def build(self, scope: Scope, received: RawFields) -> RawFields:
        """Build the fields; `received` are `Host` and the fields in which proxies forward them."""
        peer = scope["client"]
        inputs = (peer[0] if peer else None, scope["scheme"], tuple(received))
        if sum(len(value) for _, value in received) > _MAX_CACHED_BYTES:
            return self._build(inputs)
        return self._build_cached(inputs)

    def _build(self, inputs: _Inputs) -> RawFields:
        host, scheme, received = inputs
        scope = {
            "type": "http",
            "scheme": scheme,
            "client": None if host is None else (host, 0),
            "headers": received,
        }
        fields = self._get_x_forwarded(scope)
        fields["x-forwarded-port"] = self._find_port(fields, HTTPConnection(scope))
        if self._get_forwarded is not None:
            fields.update(self._get_forwarded(scope))
        return tuple((name.encode(), value.encode()) for name, value in fields.items())

    def _find_port(self, fields: Mapping[str, str], connection: HTTPConnection) -> str:
        """Return the port that the client has used.

        That is the port of the host, or else what a trusted proxy says, or else that of the scheme.
        A port without a host of the same hop may be that of the client: many proxies pass
        `X-Forwarded-Port` on, as they do with every field that they do not know.
        """
        _, _, port = fields.get("x-forwarded-host", "").rpartition(":")
        if port.isdigit():
            return port
        headers = connection.headers
        match headers.getlist("x-forwarded-port"), headers.getlist("x-forwarded-host"):
            case [port], [host] if _PORT.fullmatch(port) and host and "," not in host:
                if is_from_proxy(connection, self._server):
                    return port
        return _DEFAULT_PORTS[fields["x-forwarded-proto"]]
