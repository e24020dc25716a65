"""A WebSocket client that speaks ASGI to an app, without a server between."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Message, Scope

DENIAL: dict[str, dict[str, Any]] = {"websocket.http.response": {}}


def websocket_scope(
    path: str, *headers: tuple[bytes, bytes], extensions: dict[str, dict[str, Any]] | None = None
) -> Scope:
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"x"), *headers],
        "client": ("192.0.2.7", 4711),
        "server": ("192.0.2.1", 80),
        "subprotocols": [],
        "state": {},
        "extensions": extensions or {},
    }


class WebSocketClient:
    """Connects, sends the given texts, and then disconnects with `code` or stays.

    `sent` holds the messages of the app.
    """

    def __init__(self, *texts: str, code: int | None = 1001) -> None:
        self.sent: list[Message] = []
        self.accepted = asyncio.Event()
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        for text in texts:
            self._incoming.put_nowait({"type": "websocket.receive", "text": text})
        if code is not None:
            self._incoming.put_nowait({"type": "websocket.disconnect", "code": code})

    async def run(self, app: ASGIApp, scope: Scope) -> Sequence[Message]:
        await app(scope, self._incoming.get, self._send)
        return self.sent

    async def _send(self, message: Message) -> None:
        self.sent.append(message)
        if message["type"] == "websocket.accept":
            self.accepted.set()
