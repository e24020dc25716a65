"""A fake identity provider on a real socket, whose responses a test can replace."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.gateway.auth.token_factory import ISSUER, SigningKey, encode_jwk_set

Responder = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


class IdentityProvider:
    """Publishes `keys` at /keys, and a discovery document that refers to them."""

    def __init__(self) -> None:
        self.keys: list[SigningKey] = []
        self.requested_paths: list[str] = []
        self.request_heads: list[bytes] = []
        self.respond: Responder = self.respond_normally
        self.origin = ""
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def jwks_url(self) -> str:
        """The URL of the keys."""
        return f"{self.origin}/keys"

    @property
    def discovery_url(self) -> str:
        """The URL of the discovery document."""
        return f"{self.origin}/.well-known/openid-configuration"

    def metadata(self, **changes: Any) -> bytes:
        """Build the discovery document."""
        return json.dumps({"issuer": ISSUER, "jwks_uri": self.jwks_url, **changes}).encode()

    async def respond_normally(self, path: str, writer: asyncio.StreamWriter) -> None:
        """Respond with the keys or the discovery document."""
        keys = encode_jwk_set(*(key.jwk() for key in self.keys))
        await send_response(writer, keys if path == "/keys" else self.metadata())

    async def _handle_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.requested_paths.append(path)
            self.request_heads.append(head)
            await self.respond(path, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    @asynccontextmanager
    async def serve(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["IdentityProvider"]:
        """Listen on a free port until the end of the block."""
        server = await asyncio.start_server(self._handle_connection, "127.0.0.1", 0, ssl=tls)
        scheme = "https" if tls else "http"
        self.origin = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            connections = list(self._connections)
            for task in connections:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
            await server.wait_closed()


async def send_response(
    writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", *headers: str
) -> None:
    """Send one HTTP response with `Connection: close`."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
    await writer.drain()
