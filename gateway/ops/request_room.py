"""`RequestRoom`: bounds the requests in flight on the ops port, and keeps room for changes."""

from collections.abc import Awaitable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.middleware.load_shedding import LoadShedding
from gateway.ops.operator_room import OperatorRoom

MAX_CHANGES = 16
MAX_READS = 48

_CHANGING_METHODS = frozenset({"PUT", "PATCH", "DELETE"})
_ROLLBACK = "/rollback"


class RequestRoom:
    """ASGI middleware that counts changes apart from reads and simulations.

    A change needs `limits:write`, which is checked before the body is read. So a caller with
    `limits:read` alone cannot keep an operator from a change, however many requests it sends. Both
    counts have room for several operators: see `OperatorRoom`. Requests for `exempt_paths` always
    pass.
    """

    def __init__(self, app: ASGIApp, exempt_paths: Collection[str] = ()) -> None:
        changes, reads = OperatorRoom(app), OperatorRoom(app)
        self._changes = LoadShedding(changes, max_concurrency=MAX_CHANGES)
        self._reads = LoadShedding(reads, max_concurrency=MAX_READS, exempt_paths=exempt_paths)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request, or refuse it with 503."""
        room = self._changes if _is_change(scope) else self._reads
        return room(scope, receive, send)


def _is_change(scope: Scope) -> bool:
    return scope["type"] == "http" and (
        scope["method"] in _CHANGING_METHODS or scope["path"].endswith(_ROLLBACK)
    )
