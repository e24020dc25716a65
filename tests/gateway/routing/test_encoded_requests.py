"""A compressed request body is refused in words where the gateway would parse it."""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Annotated

import pytest
from fastapi import APIRouter, Body, Depends, Request
from pydantic import BaseModel

from gateway.auth import public, requires
from tests.gateway.errors.served import Served, build_request, serve

BODY = json.dumps({"text": "hello"}).encode()


class Note(BaseModel):
    text: str


def build_routes() -> APIRouter:
    router = APIRouter(dependencies=[public("a test")])

    @router.post("/model")
    async def post_model(note: Note) -> Note:
        return note

    async def read_text(text: Annotated[str, Body(embed=True)]) -> str:
        return text

    @router.post("/dependency")
    async def post_to_dependency(text: Annotated[str, Depends(read_text)]) -> str:
        return text

    @router.post("/raw")
    async def post_raw(request: Request) -> str:
        return gzip.decompress(await request.body()).decode()

    private = APIRouter()
    private.add_api_route(
        "/private", post_model, methods=["POST"], dependencies=[requires("notes:write")]
    )
    private.include_router(router)
    return private


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serve(build_routes()) as opened:
        yield opened


@pytest.mark.parametrize("target", ["/model", "/dependency"])
@pytest.mark.parametrize("coding", ["gzip", "br", "x-unknown", "gzip, br", "GZIP"])
async def test_it_is_refused_with_what_is_accepted(
    served: Served, target: str, coding: str
) -> None:
    headers = {"Content-Encoding": coding}
    request = build_request(target, "POST", body=gzip.compress(BODY), headers=headers)
    (reply,) = await served.send(request)
    assert (reply.status, reply.header("accept-encoding")) == (415, ["identity"])
    assert reply.document["type"] == "urn:lockgate:problem:unsupported-content-coding"
    assert reply.document["instance"] == reply.header("x-request-id")[0]


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
async def test_identity_is_no_coding(served: Served, coding: str) -> None:
    request = build_request("/model", "POST", body=BODY, headers={"Content-Encoding": coding})
    (reply,) = await served.send(request)
    assert (reply.status, reply.document) == (200, {"text": "hello"})


async def test_a_route_may_decode_the_bytes_itself(served: Served) -> None:
    headers = {"Content-Encoding": "gzip"}
    request = build_request("/raw", "POST", body=gzip.compress(b"raw"), headers=headers)
    (reply,) = await served.send(request)
    assert reply.document == "raw"


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [("/nowhere", "POST", 404), ("/model", "PUT", 405), ("/private", "POST", 401)],
)
async def test_other_refusals_stay(served: Served, target: str, method: str, status: int) -> None:
    headers = {"Content-Encoding": "gzip"}
    (reply,) = await served.send(build_request(target, method, body=BODY, headers=headers))
    assert reply.status == status
