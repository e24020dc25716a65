"""One request to a fake service, with the operations that faults consist of."""

import asyncio
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.fakes import uvicorn_protocol


class ClientDisconnected(Exception):
    """The client closed the connection before the response was complete."""


@dataclass(frozen=True, slots=True)
class FakeRequest:
    """A request, the app of the service, and the service's latency in seconds."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    latency: float
    _received: list[Message] = field(default_factory=list, init=False)

    async def respond(self) -> None:
        """Let the service respond."""
        await self.app(self.scope, self._receive_again, self.send)

    async def capture_response(self) -> tuple[Message, bytes]:
        """Run the service without sending; return its start message and its whole body."""
        messages: list[Message] = []

        async def append(message: Message) -> None:
            messages.append(message)

        await self.app(self.scope, self._receive_again, append)
        start, *rest = messages
        return start, b"".join(message.get("body", b"") for message in rest)

    async def sleep(self, seconds: float | None) -> None:
        """Wait that long; None waits until the client disconnects.

        Of a long body, only the first piece is read meanwhile. The service gets that piece later.

        Raises:
            ClientDisconnected: the client closed the connection meanwhile.
        """
        if seconds == 0:
            return
        try:
            async with asyncio.timeout(seconds):
                if seconds is not None:
                    await self._receive_first_piece()
                await self._wait_for_disconnect()
        except TimeoutError:
            return
        raise ClientDisconnected

    async def close_connection(self) -> None:
        """Send the data already written, then close the connection (FIN)."""
        uvicorn_protocol.close_connection(self.scope)
        await self._wait_for_disconnect()

    async def reset_connection(self) -> None:
        """Reset the connection at once (RST)."""
        uvicorn_protocol.reset_connection(self.scope)
        await self._wait_for_disconnect()

    async def _receive_first_piece(self) -> None:
        """Receive the beginning of the body; if more follows, wait without reading it."""
        if self._received:
            return
        message = await self.receive()
        self._received.append(message)
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        if message.get("more_body"):
            await asyncio.Event().wait()

    async def _receive_again(self) -> Message:
        """Receive what was received during a wait, then what follows."""
        return self._received.pop(0) if self._received else await self.receive()

    async def _wait_for_disconnect(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
