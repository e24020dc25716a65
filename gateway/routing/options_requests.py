"""OPTIONS for every path: a response that lists the methods of the path in `Allow`."""

from starlette.responses import Response
from starlette.types import Scope

from gateway.allowed_methods import find_allowed_methods

SERVER_WIDE = "*"


def describe_options(scope: Scope) -> Response | None:
    """Build the 204 with `Allow` (RFC 9110, 9.3.7); None if no route has the path.

    `OPTIONS *` asks about the server as a whole, and gets no `Allow`.
    """
    if scope["path"] == SERVER_WIDE:
        return Response(status_code=204)
    methods = find_allowed_methods(scope)
    return (
        Response(status_code=204, headers={"Allow": ", ".join(sorted(methods))})
        if methods
        else None
    )
