"""What a refusal keeps of its response, and what it does not show."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import respx

from gateway.transport.raw_response import MAX_ERROR_BODY_BYTES
from gateway.upstream.errors import UpstreamInvalid, UpstreamRefused
from gateway.upstream.model import ResponseModel
from tests.gateway.upstream.example_client import ExampleClient, Item


class Conflict(ResponseModel):
    type: str
    version: int


async def stream(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def refuse(client: ExampleClient) -> UpstreamRefused:
    with pytest.raises(UpstreamRefused) as raised:
        await client.get("/", into=Item)
    return raised.value


@pytest.mark.parametrize("status", [400, 402, 403, 404, 409, 410, 422])
async def test_a_refusal_has_status_headers_and_body(
    routes: respx.Router, client: ExampleClient, status: int
) -> None:
    body = {"type": "urn:conflict", "version": 3, "password": "hunter2"}
    routes.get("/").respond(
        status, json=body, headers={"content-type": "application/problem+json", "X-Reason": "r"}
    )
    refusal = await refuse(client)
    assert refusal.status == status
    assert json.loads(refusal.body) == body
    assert refusal.headers["x-reason"] == "r"
    assert refusal.decode(Conflict) == Conflict(type="urn:conflict", version=3)
    assert "hunter2" not in f"{refusal} {refusal!r}"


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (httpx.Response(409), "empty"),
        (httpx.Response(409, text="no"), "not JSON"),
        (httpx.Response(409, json={"type": 1, "version": "3"}), "2 wrong: type string_type"),
        (
            httpx.Response(409, content=stream(b"{}"), headers={"content-encoding": "br"}),
            "not valid br",
        ),
        (httpx.Response(409, json="x" * MAX_ERROR_BODY_BYTES), "larger than 16384 bytes"),
    ],
)
async def test_a_body_of_another_type_is_invalid(
    mock: respx.MockRouter, client: ExampleClient, response: httpx.Response, why: str
) -> None:
    mock.get("/").mock(return_value=response)
    refusal = await refuse(client)
    assert len(refusal.body) <= MAX_ERROR_BODY_BYTES
    with pytest.raises(UpstreamInvalid, match=why) as raised:
        refusal.decode(Conflict)
    assert raised.value.status == 409
    assert str(raised.value).startswith("orders GET /: invalid (the body of status 409: ")


async def test_a_refusal_of_a_stream_has_no_body(
    mock: respx.MockRouter, client: ExampleClient
) -> None:
    mock.get("/").respond(409, json={"type": "t", "version": 1})
    with pytest.raises(UpstreamRefused) as raised:
        async with client.stream("GET", "/"):
            pass
    assert (raised.value.status, raised.value.body, dict(raised.value.headers)) == (409, b"", {})
    with pytest.raises(UpstreamInvalid, match="was not read"):
        raised.value.decode(Conflict)


async def test_a_body_that_was_cut_off_is_invalid() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"type":"t","version":1}'
        raise httpx.ReadError("cut off")

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(409, content=pieces(), headers={"content-type": "application/json"})

    async with ExampleClient("http://shop", transport=httpx.MockTransport(respond)) as client:
        refusal = await refuse(client)
    with pytest.raises(UpstreamInvalid, match="cut off"):
        refusal.decode(Conflict)
