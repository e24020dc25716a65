"""curl through a proxied route: uploads, ranges, events and HTTP/1.0."""

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import HttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.fakes.serve_fakes import serve_fakes
from gateway.proxy import Proxy
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Server, Service, Settings

CONTENT = bytes(range(256)) * 400
MAX_BODY_BYTES = 3_000_000
PROXY = Proxy(
    "/files/{path:path}",
    to="files",
    public="a test",
    identity="none",
    max_body_bytes=MAX_BODY_BYTES,
)


@dataclass
class Files:
    """The service: a file with ranges, uploads, and events that the test releases one by one."""

    file: Path
    released: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def download(self, _: Request) -> Response:
        return FileResponse(self.file)

    async def upload(self, request: Request) -> Response:
        size = 0
        async for piece in request.stream():
            size += len(piece)
        framing = {name: request.headers.get(name) for name in ("content-length", "expect")}
        return JSONResponse({"size": size, **framing})

    async def send_events(self, _: Request) -> Response:
        return StreamingResponse(self._iter_events(), media_type="text/event-stream")

    async def _iter_events(self) -> AsyncIterator[bytes]:
        for number in range(3):
            await self.released.acquire()
            yield b"data: %d\n\n" % number

    def create_app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/file", self.download),
                Route("/upload", self.upload, methods=["PUT"]),
                Route("/events", self.send_events),
            ]
        )


@dataclass
class Curl:
    """curl, the URL of the proxied route, and the service behind it."""

    program: str
    url: str
    service: Files

    async def start(self, path: str, *options: str) -> Process:
        """Start curl; its standard input is empty."""
        command = [self.program, "--silent", "--show-error", *options, f"{self.url}{path}"]
        return await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )

    async def run(self, path: str, *options: str) -> tuple[bytes, str]:
        """Run curl; return its output, and the heads of both directions as `--verbose` shows."""
        process = await self.start(path, "--verbose", *options)
        output, heads = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0, heads
        return output, heads.decode().replace("\r", "").lower()


@pytest.fixture
async def curl(tmp_path: Path) -> AsyncIterator[Curl]:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    (tmp_path / "file.bin").write_bytes(CONTENT)
    files = Files(tmp_path / "file.bin")
    async with serve_fakes({"files": files.create_app()}, ports={}) as urls:
        settings = Settings(
            upstreams={"files": Service(url=HttpUrl(urls["files"]))},
            server=Server(host="127.0.0.1", port=0),
        )
        app = build_app(settings, Application(proxies=[PROXY]))
        async with open_server(app, settings.server) as server:
            yield Curl(program, f"{server.url}/files", files)


async def test_an_upload_waits_for_100_continue(curl: Curl, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(bytes(2_000_000))
    options = ("--upload-file", str(tmp_path / "body"), "--header", "Expect: 100-continue")
    output, heads = await curl.run("/upload", *options)
    assert b'"size":2000000' in output
    assert b'"content-length":"2000000"' in output
    assert heads.index("> expect: 100-continue") < heads.index("< http/1.1 100 continue")
    assert heads.count("< http/1.1 200 ok") == 1


async def test_an_upload_of_unknown_length_is_chunked(curl: Curl, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(bytes(200_000))
    options = ("--upload-file", str(tmp_path / "body"), "--header", "Transfer-Encoding: chunked")
    output, _ = await curl.run("/upload", *options)
    assert b'"size":200000,"content-length":null' in output


async def test_an_upload_above_the_limit_is_refused_before_it_is_sent(
    curl: Curl, tmp_path: Path
) -> None:
    (tmp_path / "body").write_bytes(bytes(MAX_BODY_BYTES + 1))
    options = ("--upload-file", str(tmp_path / "body"), "--header", "Expect: 100-continue")
    output, heads = await curl.run("/upload", *options)
    assert b'"status": 413' in output
    assert "100 continue" not in heads


async def test_a_download_is_whole_and_can_be_resumed(curl: Curl, tmp_path: Path) -> None:
    whole, _ = await curl.run("/file")
    assert whole == CONTENT
    part, heads = await curl.run("/file", "--range", "100-199")
    assert part == CONTENT[100:200]
    assert "< http/1.1 206 partial content" in heads
    assert f"< content-range: bytes 100-199/{len(CONTENT)}" in heads
    target = tmp_path / "target"
    target.write_bytes(CONTENT[:5_000])
    await curl.run("/file", "--continue-at", "-", "--output", str(target))
    assert target.read_bytes() == CONTENT
    _, heads = await curl.run("/file", "--head")
    assert f"< content-length: {len(CONTENT)}" in heads
    _, heads = await curl.run("/file", "--range", f"{len(CONTENT)}-")
    assert "< http/1.1 416 " in heads


async def test_each_event_arrives_before_the_next_is_sent(curl: Curl) -> None:
    process = await curl.start("/events", "--no-buffer")
    assert process.stdout
    for number in range(3):
        curl.service.released.release()
        event = await asyncio.wait_for(process.stdout.readuntil(b"\n\n"), 10)
        assert event == b"data: %d\n\n" % number
    assert await process.wait() == 0


async def test_a_client_of_http_1_0_gets_no_chunks(curl: Curl) -> None:
    for _ in range(3):
        curl.service.released.release()
    events, heads = await curl.run("/events", "--http1.0", "--no-buffer")
    assert events == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert "> get /files/events http/1.0" in heads
    assert "transfer-encoding" not in heads
    whole, heads = await curl.run("/file", "--http1.0")
    assert whole == CONTENT
    assert f"< content-length: {len(CONTENT)}" in heads


async def test_requests_of_one_command_share_a_connection(curl: Curl) -> None:
    _, heads = await curl.run("/file", "--range", "0-9", f"{curl.url}/file", f"{curl.url}/file")
    assert heads.count("< http/1.1 206 ") == 3
    assert heads.count("re-using existing connection") == 2
