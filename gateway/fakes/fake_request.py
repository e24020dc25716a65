"""One request to a fake service, with the operations that faults consist of."""

import asyncio
from dataclasses import dataclass

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

    async def respond(self) -> None:
        """Let the service respond."""
        await self.app(self.scope, self.receive, self.send)

    async def capture_response(self) -> tuple[Message, bytes]:
        """Run the service without sending; return its start message and its whole body."""
        messages: list[Message] = []

        async def append(message: Message) -> None:
            messages.append(message)

        await self.app(self.scope, self.receive, append)
        start, *rest = messages
        return start, b"".join(message.get("body", b"") for message in rest)

    async def sleep(self, seconds: float | None) -> None:
        """Wait that long; None waits until the client disconnects.

        Raises:
            ClientDisconnected: the client closed the connection meanwhile.
        """
        if seconds == 0:
            return
        try:
            async with asyncio.timeout(seconds):
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

    async def _wait_for_disconnect(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
