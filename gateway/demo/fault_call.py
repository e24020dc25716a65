"""One request to a demo service, as a fault sees it."""

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.demo import uvicorn_protocol


class ClientLeft(Exception):
    """The client closed the connection before it had its answer."""


@dataclass(frozen=True, slots=True)
class FaultCall:
    """A request, the service that can answer it, and the service's latency in seconds."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    latency: float

    async def answer(self) -> None:
        """Let the service answer."""
        await self.app(self.scope, self.receive, self.send)

    async def rehearse(self) -> tuple[Message, bytes]:
        """The start and the body of what the service would answer, unsent."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(self.scope, self.receive, keep)
        start, *rest = messages
        return start, b"".join(message.get("body", b"") for message in rest)

    async def pause(self, seconds: float | None) -> None:
        """Wait so long; None waits for ever.

        Raises:
            ClientLeft: the client closed the connection in the meantime.
        """
        if seconds == 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._disconnect()
        except TimeoutError:
            return
        raise ClientLeft

    async def close(self) -> None:
        """Send what was written, then end the connection (FIN)."""
        uvicorn_protocol.close(self.scope)
        await self._disconnect()

    async def reset(self) -> None:
        """End the connection at once (RST)."""
        uvicorn_protocol.reset(self.scope)
        await self._disconnect()

    async def _disconnect(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
