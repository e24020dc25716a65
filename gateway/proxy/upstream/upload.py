"""The body of a proxied request on its way from the caller to the service."""

import asyncio
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from gateway.http1_grammar import FRAMING_FIELDS, FieldList

SelectTrailers = Callable[[FieldList], FieldList]
"""Returns the trailers that may go on to the service."""

CONTINUE_SECONDS = 1.0
"""How long a body waits for `100 Continue`: some services never send it (RFC 9110, 10.1.1)."""

LONG_BYTES = 262_144
"""An exchange with a longer body, or one of unknown length, is a stream."""

_WITHOUT_BODY = frozenset({"GET", "HEAD"})  # the server drops the body of such a request
_EXPECT = b"expect"


class Upload:
    """Receives the body of a request piece by piece; never more than one piece is in memory.

    `length` is its Content-Length; None if the body is chunked. `has_begun` is set once a part of
    the body has been received, so that the request cannot be sent a second time. `trailers` are
    those fields after a chunked body that may go on.
    """

    __slots__ = (
        "_continued", "_receive", "_select_trailers", "expects_continue", "has_begun", "has_more",
        "length", "trailers",
    )  # fmt: skip

    def __init__(
        self,
        receive: Receive,
        length: int | None,
        select_trailers: SelectTrailers,
        *,
        expects_continue: bool,
    ) -> None:
        self.length = length
        self.expects_continue = expects_continue
        self.has_begun = False
        self.has_more = True
        self.trailers: FieldList = []
        self._receive = receive
        self._select_trailers = select_trailers
        self._continued: asyncio.Event | None = asyncio.Event() if expects_continue else None

    @property
    def is_long(self) -> bool:
        """Whether the body makes the exchange a stream."""
        return self.length is None or self.length > LONG_BYTES

    async def receive(self) -> bytes:
        """Return the next piece; `has_more` is false after the last one.

        Raises:
            ClientDisconnect: the caller has disconnected.
            ContentTooLarge: the body is larger than the route allows.
        """
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        self.has_begun = True
        self.has_more = message.get("more_body", False)
        if not self.has_more and "trailers" in message:
            self.trailers = self._select_trailers(message["trailers"])
        piece: bytes = message.get("body", b"")
        return piece

    async def wait_for_continue(self) -> None:
        """Wait until the service asks for the body, but not longer than CONTINUE_SECONDS."""
        if self._continued is not None:
            try:
                async with asyncio.timeout(CONTINUE_SECONDS):
                    await self._continued.wait()
            except TimeoutError:
                pass

    def proceed(self) -> None:
        """Send the body: the service has responded with 100."""
        if self._continued is not None:
            self._continued.set()


def find_upload(scope: Scope, receive: Receive, select_trailers: SelectTrailers) -> Upload | None:
    """Return the body of a request; None if it has none (RFC 9112, 6.3)."""
    length: int | None = None
    has_body = expects_continue = False
    for name, value in scope["headers"]:
        if name in FRAMING_FIELDS and name != b"connection":
            has_body = True
            length = int(value) if name == b"content-length" else None
        elif name == _EXPECT:
            expects_continue = True
    if not has_body or length == 0 or scope["method"] in _WITHOUT_BODY:
        return None
    return Upload(receive, length, select_trailers, expects_continue=expects_continue)
