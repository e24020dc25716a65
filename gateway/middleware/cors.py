"""Cross-origin requests of browsers (CORS, the Fetch standard): `server.cors_origins`.

Starlette's `CORSMiddleware` is not used: the responses of a layer outside it lack its header
fields; see `docs/decisions/cors.md`.
"""

from collections.abc import Awaitable, Callable, Iterable, Set

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.middleware.cors_policy import CorsPolicy
from gateway.middleware.target_validation import read_path
from gateway.request_context import RequestContext
from gateway.request_path import InvalidPath

_ORIGIN = b"origin"
_REQUEST_METHOD = b"access-control-request-method"
_PRIVATE_NETWORK = b"access-control-request-private-network"
_OWN_FIELDS = (b"access-control-", b"timing-allow-origin")
MAX_LOGGED_ORIGIN = 256  # bytes

# So that a page can read the 404 to a path that no route has, or the 400 to an invalid one.
_METHODS_OF_UNKNOWN_PATHS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class Cors:
    """ASGI middleware that lets the pages of allowed origins read every response.

    It adds its fields to the `RequestContext`, so that each response has them, of whichever layer.
    It responds to a preflight of an allowed origin itself: before authentication, and uncounted.
    A preflight of another origin is an OPTIONS request like any other, and gets no such fields.

    Requests to `exempt_path`, and below it, pass through: a gateway sends them, and a preflight
    among them asks about a request to that gateway.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        policy: CorsPolicy,
        find_methods: Callable[[Scope], Set[str]],
        exempt_path: str | None = None,
    ) -> None:
        self.app = app
        self._exempt_path = exempt_path
        self._policy = policy
        self._find_methods = find_methods

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request; anything but HTTP passes through."""
        if scope["type"] != "http" or self._is_exempt(scope["path"]):
            return self.app(scope, receive, send)
        context = RequestContext.of(scope)
        origin = _find_origin(scope)
        is_preflight = scope["method"] == "OPTIONS" and _list_values(scope, _REQUEST_METHOD)
        if origin and self._policy.allows(origin):
            if is_preflight:
                return self._build_preflight(scope, origin)(scope, receive, send)
            context.response_headers += self._policy.build_fields(origin)
        else:
            if is_preflight:
                shown = str(origin[:MAX_LOGGED_ORIGIN], "ascii", "backslashreplace")
                context.log_fields["refused_origin"] = shown
            context.response_headers += self._policy.constant_fields
        if origin or self._policy.allows_any:
            send = _FieldRemover(send).send
        return self.app(scope, receive, send)

    def _is_exempt(self, path: str) -> bool:
        exempt = self._exempt_path
        if exempt is None or not path.startswith(exempt):
            return False
        return path[len(exempt) : len(exempt) + 1] in {"", "/"}

    def _build_preflight(self, scope: Scope, origin: bytes) -> Response:
        """Build the response to a preflight of an allowed origin (Fetch, 4.8)."""
        response = Response(status_code=204)
        response.raw_headers = [
            *self._policy.build_preflight_fields(
                origin,
                self._find_methods_of_path(scope) or _METHODS_OF_UNKNOWN_PATHS,
                is_to_private_network=bool(_list_values(scope, _PRIVATE_NETWORK)),
            )
        ]
        return response

    def _find_methods_of_path(self, scope: Scope) -> Set[str]:
        """Find the methods of the path as `TargetValidation` will leave it; none if it is refused.

        The server has decoded `%2F` and `%0a` in the path of the scope, which can then be the path
        of another route.
        """
        try:
            path = read_path(scope)
        except InvalidPath:
            return frozenset()
        return self._find_methods({**scope, "path": path})


def _find_origin(scope: Scope) -> bytes:
    """Return the value of `Origin`; b"" if the request has none, or more than one."""
    origins = _list_values(scope, _ORIGIN)
    return origins[0] if len(origins) == 1 else b""


def _list_values(scope: Scope, wanted: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == wanted]


class _FieldRemover:
    """Removes the fields of CORS that the application sets itself: two of one kind are an error."""

    __slots__ = ("_send",)

    def __init__(self, send: Send) -> None:
        self._send = send

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            fields: Iterable[tuple[bytes, bytes]] = message.get("headers", ())
            message["headers"] = [
                field for field in fields if not field[0].lower().startswith(_OWN_FIELDS)
            ]
        return self._send(message)
