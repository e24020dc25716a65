"""A service behind another gateway, which records what reaches it, byte for byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReceivedHead:
    """The head of a request. The names of its fields are as they were received."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> list[str]:
        """The values of a field, whatever separates the words of its name."""
        wanted = name.lower().replace("_", "-")
        return [value for key, value in self.fields if key.lower().replace("_", "-") == wanted]


@dataclass
class RecordingService:
    """Responds to every request with 200, or with the status that its query names."""

    port: int = 0
    received: list[ReceivedHead] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the requests of one connection; their bodies are not read."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *lines = head.strip().split("\r\n")
            method, target, _ = line.split(" ")
            fields = tuple((name, value) for name, _, value in (it.partition(": ") for it in lines))
            self.received.append(ReceivedHead(method, target, fields))
            status = target.rpartition("?status=")[2] if "?status=" in target else "200"
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def record_requests() -> AsyncIterator[RecordingService]:
    """Run the service for the length of the block."""
    service = RecordingService()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
