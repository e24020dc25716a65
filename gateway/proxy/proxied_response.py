"""The response of a proxied route whose body has arrived whole."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.http1_grammar import FieldList
from gateway.request_context import NO_TRANSFORM


class ProxiedResponse(Response):
    """Sends head and body at once, with the fields as they are."""

    def __init__(self, status: int, fields: FieldList, body: bytes) -> None:
        # Not Starlette's: it would add fields.
        self.status_code = status
        self.raw_headers = fields
        self.body = body
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        await send(build_start(self))
        await send({"type": "http.response.body", "body": self.body})


def build_start(response: Response) -> dict[str, object]:
    """Build the message with the head of a proxied response, whose body stays as it is."""
    return {
        "type": "http.response.start",
        "status": response.status_code,
        "headers": response.raw_headers,
        NO_TRANSFORM: True,
    }
