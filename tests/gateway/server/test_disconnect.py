"""A client that disconnects cancels everything that runs for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from tests.gateway.server.serve_app import serve_app


class Witness:
    """Records how the requests of an app end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.how = ""

    async def wait_here(self) -> None:
        self.begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.how = "cancelled"
            raise
        finally:
            self.ended.set()


def build_app(witness: Witness) -> FastAPI:
    app = FastAPI()

    @app.get("/slow")
    async def slow() -> None:
        await witness.wait_here()

    @app.post("/body")
    async def body(request: Request) -> None:
        await request.body()
        await witness.wait_here()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            await witness.wait_here()

        return StreamingResponse(chunks())

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    return app


@asynccontextmanager
async def open_connection(
    app: FastAPI,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with serve_app(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()
            await writer.wait_closed()


@pytest.mark.parametrize(
    "request_text",
    [
        "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nfour",
        "GET /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n",
        "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nfour",
        "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_a_disconnect_cancels_the_app(request_text: str) -> None:
    witness = Witness()
    async with open_connection(build_app(witness)) as (_, writer):
        writer.write(request_text.encode())
        await witness.begun.wait()
        assert not witness.ended.is_set()
        writer.close()
        await asyncio.wait_for(witness.ended.wait(), 60)
    assert witness.how == "cancelled"


async def test_a_client_that_stays_gets_its_responses_on_one_connection() -> None:
    async with open_connection(build_app(Witness())) as (reader, writer):
        for body in (b"", b"four", b"x" * 100_000):
            writer.write(
                b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            writer.write(body)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(len(str(len(body)))) == str(len(body)).encode()
