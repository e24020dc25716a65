"""The body of a proxied request on its way from the caller to the service."""

import asyncio
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from gateway.http1_grammar import FRAMING_FIELDS, FieldList
from gateway.proxy.stream_limit import LONG_BYTES, StreamSlot
from gateway.request_context import WHOLE_BODY

SelectTrailers = Callable[[FieldList], FieldList]
"""Returns the trailers that may go on to the service."""

CONTINUE_SECONDS = 1.0
"""How long a body waits for `100 Continue`: some services never send it (RFC 9110, 10.1.1)."""

_EXPECT = b"expect"


class BodyTimeout(TimeoutError):
    """The gateway has waited for too long for a piece of the body: the caller does not send it."""


class BodyNotRead(TimeoutError):
    """The service has read nothing of the body for too long."""


class Upload:
    """Receives the body of a request piece by piece; never more than one piece is in memory.

    `length` is its Content-Length; None if the body is chunked. `trailers` are those fields after a
    chunked body that may go on. `content` is the whole body if it has arrived with the head (see
    `collect`), so that it can be sent with the head, and once more. Otherwise `has_begun` is set
    once a part of it has been received: the request cannot be sent a second time. `is_receiving`
    is set while the gateway waits for the caller, and stays so if that wait is cancelled.
    """

    __slots__ = (
        "_continued", "_receive", "_select_trailers", "content", "expects_continue", "has_begun",
        "has_more", "is_receiving", "length", "slot", "trailers",
    )  # fmt: skip

    def __init__(
        self,
        receive: Receive,
        length: int | None,
        select_trailers: SelectTrailers,
        slot: StreamSlot,
        *,
        expects_continue: bool,
    ) -> None:
        self.length = length
        self.slot = slot
        self.content: bytes | None = None
        self.expects_continue = expects_continue
        self.has_begun = self.is_receiving = False
        self.has_more = True
        self.trailers: FieldList = []
        self._receive = receive
        self._select_trailers = select_trailers
        self._continued: asyncio.Event | None = asyncio.Event() if expects_continue else None

    @property
    def is_long(self) -> bool:
        """Whether the body is known to be so long that it makes the exchange a stream."""
        return self.content is None and self.length is not None and self.length > LONG_BYTES

    async def collect(self) -> None:
        """Receive the whole body, which has arrived already (WHOLE_BODY).

        Raises:
            ContentTooLarge: the body is larger than the route allows.
        """
        pieces = []
        while self.has_more:
            pieces.append(await self.receive())
        self.content = b"".join(pieces)
        self.expects_continue = False

    async def receive(self) -> bytes:
        """Return the next piece; `has_more` is false after the last one.

        Raises:
            ClientDisconnect: the caller has disconnected.
            ContentTooLarge: the body is larger than the route allows.
        """
        self.is_receiving = True
        message = await self._receive()
        self.is_receiving = False
        if message["type"] != "http.request":
            raise ClientDisconnect
        self.has_begun = True
        self.has_more = message.get("more_body", False)
        if not self.has_more:
            self.slot.unwatch()
            self.trailers = self._select_trailers(message.get("trailers", []))
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


async def find_upload(
    scope: Scope, receive: Receive, select_trailers: SelectTrailers, slot: StreamSlot
) -> Upload | None:
    """Return the body of a request; None if it has none (RFC 9112, 6.3).

    Raises:
        ContentTooLarge: the body has arrived, and is larger than the route allows.
    """
    length: int | None = None
    has_body = expects_continue = False
    for name, value in scope["headers"]:
        if name in FRAMING_FIELDS and name != b"connection":
            has_body = True
            length = int(value) if name == b"content-length" else None
        elif name == _EXPECT:
            expects_continue = True
    if not has_body or length == 0:
        return None
    upload = Upload(receive, length, select_trailers, slot, expects_continue=expects_continue)
    if WHOLE_BODY in (scope.get("extensions") or ()):
        await upload.collect()
    return upload
