"""The scope of a request to another target, for which the guards of a route are called."""

from typing import Any

from starlette.types import Scope

from gateway.request_path import decode_path, is_plain

_ENTRIES_OF_ROUTING = ("endpoint", "fastapi", "path_params", "route")


def build_target_scope(scope: Scope, method: str, path: bytes, query: bytes = b"") -> Scope:
    """Copy the scope of a request, with another method and target.

    `path` is escaped, and is read as `TargetValidation` reads the path of a request. A prefix
    `root_path` is not part of the path in the copy, whether `path` has it or not. The
    `RequestContext` is that of the request.

    Raises:
        InvalidPath: programs may differ in what this path means.
    """
    root_path = scope.get("root_path", "").encode()
    if root_path and path.startswith(root_path + b"/"):
        path = path[len(root_path) :]
    target: dict[str, Any] = {
        **scope,
        "method": method,
        "path": path.decode("ascii") if is_plain(path) and path.isascii() else decode_path(path),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
    }
    for name in _ENTRIES_OF_ROUTING:
        target.pop(name, None)
    return target
