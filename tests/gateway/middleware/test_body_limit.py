"""A body that is too long is answered 413, as a problem, however it comes."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel

from gateway.errors import problem_json
from gateway.middleware.access_log import AccessLog
from gateway.middleware.body_limit import BodyLimit

AT_MOST = 1_000


class Text(BaseModel):
    text: str


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.add_middleware(BodyLimit, max_bytes=AT_MOST)
    app.add_middleware(AccessLog)
    problem_json.install(app)

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.post("/model")
    async def model(text: Text) -> int:
        return len(text.text)

    @app.post("/unread")
    async def unread() -> str:
        return "done"

    wire = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=wire, base_url="http://x") as client:
        yield client


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 300):
        yield b"x" * min(300, size - start)


@pytest.mark.parametrize("path", ["/raw", "/model", "/unread", "/nowhere"])
async def test_a_declared_length_is_refused_before_anything_is_read(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.post(path, content=b"x" * (AT_MOST + 1))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/raw", "/model"])
async def test_an_undeclared_length_is_refused_as_it_is_read(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.post(path, content=in_pieces(AT_MOST + 1))
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:lockgate:problem:content-too-large"


async def test_a_body_within_the_limit_arrives_whole(http: httpx.AsyncClient) -> None:
    declared = await http.post("/raw", content=b"x" * AT_MOST)
    undeclared = await http.post("/raw", content=in_pieces(AT_MOST))
    assert declared.json() == undeclared.json() == AT_MOST
