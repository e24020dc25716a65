"""The ASGI scope of a request as a proxied route gets it, built as the layers before it do."""

from starlette.routing import compile_path
from starlette.types import Scope

from gateway.http1_grammar import Fields
from gateway.proxy import Proxy
from gateway.request_path import decode_parameter, decode_path


def build_scope(
    proxy: Proxy,
    raw_path: bytes,
    *,
    fields: Fields = ((b"host", b"api.example.com"),),
    query: bytes = b"",
    method: str = "GET",
    root_path: str = "",
) -> Scope | None:
    """Build the scope; None if the route does not match.

    Raises:
        InvalidPath: `TargetValidation` refuses the path.
    """
    path = decode_path(raw_path)
    pattern, _, _ = compile_path(proxy.path)
    match = pattern.match(path.removeprefix(root_path))
    if match is None:
        return None
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "http_version": "1.1",
        "path": path,
        "raw_path": raw_path,
        "query_string": query,
        "root_path": root_path,
        "headers": list(fields),
        "client": ("192.0.2.7", 50_000),
        "path_params": {k: decode_parameter(v) for k, v in match.groupdict().items()},
    }
