"""A server that behaves like Redis until it has answered the first check of a connection."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

VALID_REPLY = b"*6\r\n:1800000000000000\r\n:1\r\n:9\r\n:0\r\n:1000000\r\n$-1\r\n"

_COMMAND = re.compile(rb"\*\d+\r\n\$\d+\r\n([A-Z]+)\r\n")


class FakeRedisServer:
    """Answers the first check of each connection, and every later one with `reply`."""

    def __init__(self, reply: bytes) -> None:
        self._reply = reply
        self.port = 0

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"redis://127.0.0.1:{self.port}/0"

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["FakeRedisServer"]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = [VALID_REPLY]
        try:
            while data := await reader.read(65_536):
                for command in _COMMAND.findall(data):
                    is_check = command == b"EVALSHA"
                    writer.write(
                        (first.pop() if first else self._reply) if is_check else b"+OK\r\n"
                    )
        except OSError:
            pass
        finally:
            writer.close()
