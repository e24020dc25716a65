"""A server that passes for Redis until the first check has been answered."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SOUND = b"*4\r\n:1\r\n:9\r\n:0\r\n:1000000\r\n"

_COMMAND = re.compile(rb"\*\d+\r\n\$\d+\r\n([A-Z]+)\r\n")


class FakeRedisServer:
    """Lets redis-py in and answers the first check of each connection; then says `answer`."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._url = ""

    @property
    def url(self) -> str:
        """Where it stands in for Redis."""
        return self._url

    @asynccontextmanager
    async def open(self) -> AsyncIterator["FakeRedisServer"]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = [SOUND]
        try:
            while piece := await reader.read(65_536):
                for command in _COMMAND.findall(piece):
                    is_check = command == b"EVALSHA"
                    writer.write(
                        (answers.pop() if answers else self._answer) if is_check else b"+OK\r\n"
                    )
        except OSError:
            pass
        finally:
            writer.close()
