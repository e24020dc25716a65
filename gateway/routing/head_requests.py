"""HEAD wherever GET is: the route for GET runs, and its response is sent without the body."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.request_context import REQUEST_METHOD


async def serve_head(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a HEAD request as GET (RFC 9110, 9.3.2); the server leaves the body out.

    The response is complete with the first piece of its body, so that a HEAD request ends even for
    an endless stream.
    """
    inner = {**scope, "method": "GET", REQUEST_METHOD: "HEAD"}
    head = _HeadSender(send)
    try:
        await app(inner, receive, head.send)
    except (OSError, ClientDisconnect):
        if not head.is_complete:
            raise
    finally:
        if "route" in inner:  # middleware outside may ask for it
            scope["route"] = inner["route"]


class _HeadSender:
    """Completes the response with the first piece of its body, and refuses any other.

    The refusal is an OSError, as that of a server whose client has gone: it stops the app.
    """

    def __init__(self, send: Send) -> None:
        self.is_complete = False
        self._send = send

    async def send(self, message: Message) -> None:
        if self.is_complete:
            raise OSError("the response to HEAD is complete")
        if message["type"] == "http.response.body":
            self.is_complete = True
            message = {**message, "more_body": False}
        await self._send(message)
