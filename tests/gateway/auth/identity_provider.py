"""An identity provider on a real socket, as well or as badly behaved as a test wants it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.gateway.auth.token_factory import ISSUER, SigningKey, encode_jwk_set

Behaviour = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


class IdentityProvider:
    """Publishes `keys` at /keys, and a discovery document that leads there."""

    def __init__(self) -> None:
        self.keys: list[SigningKey] = []
        self.asked: list[str] = []
        self.behave: Behaviour = self.well
        self.origin = ""
        self._talking: set[asyncio.Task[None]] = set()

    @property
    def jwks_url(self) -> str:
        """Where the keys are."""
        return f"{self.origin}/keys"

    @property
    def discovery_url(self) -> str:
        """Where the discovery document is."""
        return f"{self.origin}/.well-known/openid-configuration"

    def metadata(self, **changes: Any) -> bytes:
        """The discovery document."""
        return json.dumps({"issuer": ISSUER, "jwks_uri": self.jwks_url, **changes}).encode()

    async def well(self, path: str, writer: asyncio.StreamWriter) -> None:
        """Answer as one should."""
        keys = encode_jwk_set(*(key.jwk() for key in self.keys))
        await answer(writer, keys if path == "/keys" else self.metadata())

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talking.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.asked.append(path)
            await self.behave(path, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._talking.discard(task)
            writer.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["IdentityProvider"]:
        """Listen on a free port until the end of the block."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            talking = list(self._talking)
            for task in talking:
                task.cancel()
            await asyncio.gather(*talking, return_exceptions=True)
            await server.wait_closed()


async def answer(
    writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", *headers: str
) -> None:
    """One HTTP answer, and no more on this connection."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
    await writer.drain()
