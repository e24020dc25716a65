"""The response of a proxied route whose body has arrived whole."""

from collections.abc import Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.http1_grammar import FieldList
from gateway.request_context import NO_TRANSFORM, RESPONSE_TRAILERS
from gateway.routing.response_endpoint import UnhandledResponse


class ProxiedResponse(UnhandledResponse):
    """Sends head and body at once, with the fields as they are, and the trailers if there are any.

    Trailers are lost if the caller does not accept them (`TE: trailers`).
    """

    def __init__(
        self,
        status: int,
        fields: FieldList,
        body: bytes,
        trailers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        # Not Starlette's: it would add fields.
        self.status_code = status
        self._trailers = trailers
        self.raw_headers = fields
        self.body = body
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        start = build_start(self)
        extensions = scope.get("extensions") or ()
        has_trailers = bool(self._trailers) and RESPONSE_TRAILERS in extensions
        if has_trailers:
            start["trailers"] = True
        await send(start)
        await send({"type": "http.response.body", "body": self.body})
        if has_trailers:
            trailers = {"type": RESPONSE_TRAILERS, "headers": self._trailers}
            await send({**trailers, "more_trailers": False})


def build_start(response: Response) -> dict[str, object]:
    """Build the message with the head of a proxied response, whose body stays as it is."""
    return {
        "type": "http.response.start",
        "status": response.status_code,
        "headers": response.raw_headers,
        NO_TRANSFORM: True,
    }
