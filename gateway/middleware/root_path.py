"""A path prefix in front of the gateway: `server.root_path`."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

_SERVER_WIDE = "*"  # the target of `OPTIONS *`


class RootPath:
    """ASGI middleware that serves every route below the prefix, and without it.

    A proxy may pass the prefix on or strip it. In both cases the scope gets the path with the
    prefix, and the prefix as `root_path`, as the ASGI specification says: so the URLs that an
    application builds from a request are those that its client can reach.

    If it `is_stripped` by the proxy, a path that still begins with it had it twice. It is another
    path then: a rule of the proxy for the path with one prefix does not match it.
    """

    def __init__(self, app: ASGIApp, root_path: str, *, is_stripped: bool = False) -> None:
        self.app = app
        self._is_stripped = is_stripped
        self._root_path = root_path
        self._raw_root_path = root_path.encode()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request or a WebSocket connection; `lifespan` passes through."""
        if scope["type"] != "lifespan" and scope["path"] != _SERVER_WIDE:
            self._complete_path(scope)
        return self.app(scope, receive, send)

    def _complete_path(self, scope: Scope) -> None:
        if scope.get("root_path"):  # mounted in another application, which has set it
            return
        scope["root_path"] = self._root_path
        path = scope["path"]
        if self._is_stripped:
            self._add_prefix(scope)
        elif path == self._root_path:
            scope["path"] = f"{path}/"
        elif not path.startswith(f"{self._root_path}/"):
            self._add_prefix(scope)

    def _add_prefix(self, scope: Scope) -> None:
        scope["path"] = self._root_path + scope["path"]
        if raw_path := scope.get("raw_path"):
            scope["raw_path"] = self._raw_root_path + raw_path
