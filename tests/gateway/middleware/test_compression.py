"""Compressed responses through all layers, on a real socket."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import brotli
import pytest
import zstandard
from fastapi import APIRouter, HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse

from gateway.auth import public, requires
from gateway.content_encoding import MIN_BYTES
from gateway.middleware.compression import MAX_BYTES_ON_LOOP
from gateway.settings.schema import Server, Settings
from tests.gateway.errors.served import Reply, Served, build_request, serve

LARGE = {"items": [f"item {number}" for number in range(20_000)]}
FILE_TEXT = "a line of a file\n" * 20_000
BROWSER = "gzip, deflate, br, zstd"


async def get_large() -> dict[str, list[str]]:
    return LARGE


async def get_text(length: int, response: Response) -> Response:
    return PlainTextResponse("x" * length, headers={"ETag": '"7"', "Vary": "Accept"})


async def get_random(response: Response) -> Response:
    return Response(bytes(range(256)) * 8, media_type="image/png")


async def get_encoded() -> Response:
    body = gzip.compress(b"x" * 10_000)
    return Response(body, media_type="text/plain", headers={"Content-Encoding": "gzip"})


async def get_untransformed() -> Response:
    headers = {"Cache-Control": "max-age=60, no-transform"}
    return PlainTextResponse("x" * 10_000, headers=headers)


async def get_digest() -> Response:
    return PlainTextResponse("x" * 10_000, headers={"Repr-Digest": "sha-256=:x:"})


async def get_problem() -> None:
    raise HTTPException(409, "x" * 10_000)


async def get_unchanged() -> Response:
    return Response(status_code=304, headers={"ETag": '"7"'})


async def get_incompressible() -> Response:
    state, noise = 1, bytearray()
    for _ in range(2_000):
        state = state * 6_364_136_223_846_793_005 % 2**64 + 1_442_695_040_888_963_407
        noise.append(state >> 56 & 0xFF)
    return Response(bytes(noise), media_type="application/json")


Endpoint = Callable[..., Awaitable[object]]


def build_routes(folder: Path, went_on: asyncio.Event) -> APIRouter:
    async def get_file() -> FileResponse:
        return FileResponse(folder / "file.txt")

    async def get_stream() -> StreamingResponse:
        async def stream() -> AsyncIterator[str]:
            yield "data: first\n\n"
            await went_on.wait()
            yield f"data: {'x' * 10_000}\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def get_lines() -> StreamingResponse:
        async def stream() -> AsyncIterator[str]:
            for _ in range(100):
                yield '{"line": true}\n'

        return StreamingResponse(stream(), media_type="application/x-ndjson")

    endpoints: dict[str, Endpoint] = {
        "/large": get_large,
        "/text/{length}": get_text,
        "/image": get_random,
        "/encoded": get_encoded,
        "/untransformed": get_untransformed,
        "/digest": get_digest,
        "/problem": get_problem,
        "/unchanged": get_unchanged,
        "/incompressible": get_incompressible,
        "/file": get_file,
        "/stream": get_stream,
        "/lines": get_lines,
    }
    router = APIRouter()
    for path, endpoint in endpoints.items():
        router.add_api_route(path, endpoint, dependencies=[public("a test")])
    router.add_api_route("/private", get_large, dependencies=[requires("pages:read")])
    return router


@pytest.fixture
def went_on() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def served(tmp_path: Path, went_on: asyncio.Event) -> AsyncIterator[Served]:
    (tmp_path / "file.txt").write_text(FILE_TEXT)
    async with serve(build_routes(tmp_path, went_on)) as opened:
        yield opened


async def get(
    served: Served, target: str, accept: str | None = BROWSER, method: str = "GET"
) -> Reply:
    headers = {} if accept is None else {"Accept-Encoding": accept}
    (reply,) = await served.send(build_request(target, method, headers=headers))
    return reply


def decode(reply: Reply) -> bytes:
    match reply.header("content-encoding"):
        case ["zstd"]:
            return zstandard.ZstdDecompressor().decompressobj().decompress(reply.body)
        case ["br"]:
            return bytes(brotli.decompress(reply.body))
        case ["gzip"]:
            return gzip.decompress(reply.body)
        case codings:
            assert codings == []
            return reply.body


@pytest.mark.parametrize("coding", ["zstd", "br", "gzip"])
@pytest.mark.parametrize("target", ["/large", "/text/2000", "/problem", "/file", "/openapi.json"])
async def test_each_coding_can_be_decoded(served: Served, target: str, coding: str) -> None:
    plain = await get(served, target, None)
    encoded = await get(served, target, coding)
    assert encoded.header("content-encoding") == [coding]
    assert decode(encoded) == plain.body
    assert len(encoded.body) < len(plain.body) / 2
    assert encoded.status == plain.status
    for reply in (plain, encoded):
        (vary,) = reply.header("vary")
        assert "accept-encoding" in vary.lower().split(", ") or target == "/problem"


def test_large_bodies_are_encoded_in_a_thread() -> None:
    assert len(str(LARGE)) > MAX_BYTES_ON_LOOP


async def test_only_what_is_long_enough_is_encoded(served: Served) -> None:
    short, long = f"/text/{MIN_BYTES - 1}", f"/text/{MIN_BYTES}"
    assert (await get(served, short)).header("content-encoding") == []
    assert (await get(served, long)).header("content-encoding") == ["zstd"]
    refused = await get(served, "/text/10", "gzip, identity;q=0")
    assert refused.header("content-encoding") == ["gzip"]
    assert decode(refused) == b"x" * 10


async def test_the_fields_of_an_encoded_response(served: Served) -> None:
    reply = await get(served, "/text/2000")
    assert reply.header("etag") == ['W/"7"']
    assert reply.header("vary") == ["Accept, accept-encoding"]
    assert reply.header("content-length") == [str(len(reply.body))]
    file = await get(served, "/file")
    assert file.header("content-length") == file.header("accept-ranges") == []
    assert file.header("etag")[0].startswith('W/"')
    plain = await get(served, "/text/2000", None)
    assert plain.header("etag") == ['"7"']


@pytest.mark.parametrize(
    "target", ["/image", "/encoded", "/untransformed", "/digest", "/lines", "/unchanged"]
)
async def test_other_responses_pass_as_they_are(served: Served, target: str) -> None:
    plain, reply = await get(served, target, None), await get(served, target)
    assert [f for f in reply.headers if f[0] != "x" and f[0] != "date"] == [
        f for f in plain.headers if f[0] != "x" and f[0] != "date"
    ]
    assert reply.body == plain.body


async def test_a_body_that_does_not_become_shorter_is_not_encoded(served: Served) -> None:
    reply = await get(served, "/incompressible")
    assert reply.header("content-encoding") == []
    assert reply.header("content-length") == ["2000"]
    assert reply.header("vary") == ["accept-encoding"]


async def test_a_stream_of_events_is_not_held_back(served: Served, went_on: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(build_request("/stream", headers={"Accept-Encoding": BROWSER}))
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        first = await reader.readuntil(b"data: first\n\n")
    assert b"content-encoding" not in head
    assert first.endswith(b"data: first\n\n")
    went_on.set()
    writer.close()


@pytest.mark.parametrize("target", ["/large", "/text/2000", "/text/10", "/file", "/problem"])
async def test_head_has_the_fields_of_get(served: Served, target: str) -> None:
    head = await get(served, target, method="HEAD")
    plain = await get(served, target)
    omitted = {"date", "transfer-encoding"}
    assert [it for it in head.headers if it[0] not in omitted] == [
        it for it in plain.headers if it[0] not in omitted
    ]


async def test_two_fields_are_one_list(served: Served) -> None:
    request = build_request(
        "/text/2000", headers={"Accept-Encoding": "zstd;q=0", "accept-encoding": "gzip, *;q=0"}
    )
    (reply,) = await served.send(request)
    assert reply.header("content-encoding") == ["gzip"]


async def test_the_log_counts_the_bytes_that_were_sent(served: Served) -> None:
    reply = await get(served, "/large")
    await served.settle(1)
    assert served.log.completed[0]["bytes"] == len(reply.body)


async def test_compression_is_turned_off_by_a_setting() -> None:
    router = APIRouter(dependencies=[public("a test")])
    router.add_api_route("/large", get_large)
    settings = Settings(server=Server(compression=False))
    async with serve(router, settings=settings) as served:
        for target in ["/large", "/openapi.json", "/docs/swagger-ui.css"]:
            reply = await get(served, target)
            assert reply.header("content-encoding") == reply.header("vary") == []
