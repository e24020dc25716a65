"""HEAD wherever GET is, and OPTIONS for every path, on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, Header, Request
from fastapi.params import Depends as DependsParam
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse

from gateway.auth import public, requires
from tests.gateway.errors.served import Reply, Served, build_request, serve

Endpoint = Callable[..., Awaitable[object]]


async def get_item(item: int, accept: Annotated[str, Header()] = "") -> dict[str, str]:
    return {"item": str(item), "accept": accept}


def block() -> None:
    """Run in a thread, so that the route is not compiled."""


async def get_method(request: Request) -> Response:
    return PlainTextResponse("x" * 1_000, headers={"X-Method": request.method, "ETag": '"7"'})


async def fail() -> None:
    raise OSError("the disk is full")


async def own_head() -> Response:
    return Response(headers={"X-Own": "true"})


def build_routes(closed: asyncio.Event, file: Path) -> APIRouter:
    async def get_stream() -> StreamingResponse:
        async def stream() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"data: tick\n\n"
                    await asyncio.sleep(0.001)
            finally:
                closed.set()

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def get_file() -> FileResponse:
        return FileResponse(file)

    routes: list[tuple[str, str, Endpoint, DependsParam]] = [
        ("GET", "/compiled/{item}", get_item, public("a test")),
        ("GET", "/general/{item}", get_item, public("a test")),
        ("GET", "/method", get_method, public("a test")),
        ("GET", "/stream", get_stream, public("a test")),
        ("GET", "/file", get_file, public("a test")),
        ("GET", "/broken", fail, public("a test")),
        ("GET", "/own", get_method, public("a test")),
        ("HEAD", "/own", own_head, public("a test")),
        ("GET", "/private", get_method, requires("pages:read")),
        ("POST", "/body", get_method, public("a test")),
    ]
    router = APIRouter()
    for method, path, endpoint, access in routes:
        extra = [Depends(block)] if path.startswith("/general") else []
        router.add_api_route(path, endpoint, methods=[method], dependencies=[access, *extra])
    return router


@pytest.fixture
def closed() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def served(closed: asyncio.Event, tmp_path: Path) -> AsyncIterator[Served]:
    file = tmp_path / "large.bin"
    file.write_bytes(b"x" * 300_000)
    async with serve(build_routes(closed, file)) as opened:
        yield opened


async def exchange(served: Served, *requests: tuple[str, str]) -> list[Reply]:
    return await served.send(*(build_request(target, method) for method, target in requests))


def list_fields(reply: Reply) -> list[tuple[str, str]]:
    return [(name, value) for name, value in reply.headers if name != "date"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/compiled/7", 200),
        ("/compiled/x", 422),
        ("/general/7", 200),
        ("/general/x", 422),
        ("/private", 401),
        ("/file", 200),
        ("/broken", 500),
        ("/docs", 200),
        ("/openapi.json", 200),
        ("/healthz", 200),
        ("/readyz", 200),
        ("/nowhere", 404),
        ("/body", 405),
    ],
)
async def test_head_has_the_fields_of_get_and_no_body(
    served: Served, target: str, status: int
) -> None:
    head, get = await exchange(served, ("HEAD", target), ("GET", target))
    assert head.status == get.status == status
    assert head.body == b""
    assert list_fields(head) == list_fields(get)
    assert int(head.header("content-length")[0]) == len(get.body) > 0


async def test_a_stream_without_an_end_ends_for_head(served: Served, closed: asyncio.Event) -> None:
    head, after = await exchange(served, ("HEAD", "/stream"), ("GET", "/healthz"))
    assert head.status == after.status == 200
    assert head.header("content-type") == ["text/event-stream; charset=utf-8"]
    await asyncio.wait_for(closed.wait(), 10)
    assert not served.log.failures


async def test_a_route_sees_get_and_the_log_has_head(served: Served) -> None:
    (reply,) = await exchange(served, ("HEAD", "/method"))
    assert reply.header("x-method") == ["GET"]
    await served.settle(1)
    assert served.log.completed[0]["method"] == "HEAD"


async def test_a_route_for_head_is_preferred(served: Served) -> None:
    head, get = await exchange(served, ("HEAD", "/own"), ("GET", "/own"))
    assert (head.header("x-own"), get.header("x-own")) == (["true"], [])


@pytest.mark.parametrize(
    ("target", "status", "allowed"),
    [
        ("/compiled/7", 204, ["GET, HEAD, OPTIONS"]),
        ("/private", 204, ["GET, HEAD, OPTIONS"]),
        ("/body", 204, ["OPTIONS, POST"]),
        ("/own", 204, ["GET, HEAD, OPTIONS"]),
        ("/healthz", 204, ["GET, HEAD, OPTIONS"]),
        ("/nowhere", 404, []),
        ("*", 204, []),
    ],
)
async def test_options_lists_the_methods_of_a_path(
    served: Served, target: str, status: int, allowed: list[str]
) -> None:
    (reply,) = await exchange(served, ("OPTIONS", target))
    assert (reply.status, reply.header("allow")) == (status, allowed)
    if status == 204:
        assert reply.body == b""
