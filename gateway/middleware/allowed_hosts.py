"""Refuses requests to hosts that are not the gateway's: `server.allowed_hosts`.

`Host` goes on to services, as `X-Forwarded-Host` or in `Forwarded`, and a service that builds links
with it would send its users to any host that a client has named. It is also how a page of another
site reaches a gateway in a private network (DNS rebinding).

The status is 421 (RFC 9110, 15.5.20): the request itself is well-formed, but it is for another
server. Starlette's `TrustedHostMiddleware` is not used: it responds with 400 in plain text, reads
`Host` alone, and takes an IPv6 address apart at its first colon.
"""

from collections.abc import Awaitable, Collection, Iterator

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.client_ip import is_from_proxy
from gateway.errors.problem_json import build_problem
from gateway.errors.websocket_denial import deny_or_close
from gateway.request_context import RequestContext
from gateway.settings.errors import escape
from gateway.settings.host_patterns import WILDCARD, parse_host
from gateway.settings.schema import Server

MISDIRECTED_REQUEST = 421
MAX_LOGGED_HOST = 256  # characters

_FORWARDED_HOST = b"x-forwarded-host"


class AllowedHosts:
    """ASGI middleware that responds with 421 unless the host is one of `server.allowed_hosts`.

    A trusted proxy may name the host in `X-Forwarded-Host`, too: then its last value must be one of
    them as well. Requests for `exempt_paths` always pass: an orchestrator probes a process by its
    address. The log names the `setting` that lacks a host.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        server: Server,
        exempt_paths: Collection[str],
        setting: str = "server.allowed_hosts",
    ) -> None:
        self.app = app
        self._setting = setting
        self._server = server
        self._exempt_paths = frozenset(exempt_paths)
        hosts = server.allowed_hosts
        self._names = frozenset(host for host in hosts if not host.startswith(WILDCARD))
        self._ends = tuple(host[1:] for host in hosts if host.startswith(WILDCARD))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request or a WebSocket connection; `lifespan` passes through."""
        if scope["type"] == "lifespan" or scope["path"] in self._exempt_paths:
            return self.app(scope, receive, send)
        for name, value in self._list_hosts(scope):
            if not self._allows(value):
                return _refuse(scope, name, value, self._setting)(scope, receive, send)
        return self.app(scope, receive, send)

    def _list_hosts(self, scope: Scope) -> Iterator[tuple[str, str]]:
        """Yield the fields that name the host of a request; an absent `Host` is empty."""
        host = forwarded = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == _FORWARDED_HOST:
                forwarded = value.rpartition(b",")[2].strip(b" \t")
        yield "Host", host.decode("latin-1")
        if forwarded and is_from_proxy(HTTPConnection(scope), self._server):
            yield "X-Forwarded-Host", forwarded.decode("latin-1")

    def _allows(self, value: str) -> bool:
        host = parse_host(value)
        return host in self._names or host.endswith(self._ends)


def _refuse(scope: Scope, name: str, value: str, setting: str) -> ASGIApp:
    context = RequestContext.of(scope)
    host = escape(value[:MAX_LOGGED_HOST])
    context.log_fields["explanation"] = f"{name} is {host!r}, which {setting} lacks"
    error = HTTPException(
        MISDIRECTED_REQUEST, "This server does not serve the host of the request."
    )
    document = build_problem(error, context)
    assert document is not None  # noqa: S101 - 421 is the status of a response
    return deny_or_close(document, scope)
