"""The header fields of a response, on request."""

import pytest

from gateway.transport.transport import Transport
from gateway.upstream import PendingCall, UpstreamInvalid, UpstreamResponse
from tests.gateway.transport.scripted_server import OK, respond_with, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item

HEAD = (
    OK + b'ETag: "v1"\r\nLink: </next>; rel=next\r\nlink: </last>; rel=last\r\nX-Total-Count: 7\r\n'
)
BODY = b'[{"sku":"A"}]'
WHOLE = HEAD + b"Content-Type: application/json\r\nContent-Length: 13\r\n\r\n" + BODY
CHUNKED = (
    HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n" + BODY
    + b"\r\n0\r\n\r\n"
)  # fmt: skip


def fetch(client: ExampleClient) -> PendingCall[UpstreamResponse[list[Item]]]:
    return client.get("/items", into=UpstreamResponse[list[Item]])


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED], ids=["in one piece", "in chunks"])
async def test_a_call_can_give_the_headers_too(
    answer: bytes, either: Transport, no_leaks: None
) -> None:
    async with serve_script(respond_with(answer)) as server:
        client = ExampleClient(server.url, transport=either)
        response = await fetch(client)
    assert response.content == [Item(sku="A")]
    assert response.status == 200
    assert response.headers["etag"] == '"v1"'
    assert response.headers["X-Total-Count"] == "7"
    assert response.headers.get_list("link") == ["</next>; rel=next", "</last>; rel=last"]


async def test_no_body_is_needed() -> None:
    answer = b"HTTP/1.1 204 X\r\nETag: 1\r\n\r\n"
    async with serve_script(respond_with(answer)) as server, ExampleClient(server.url) as client:
        response = await client.delete("/", into=UpstreamResponse[None])
    assert (response.status, response.content, response.headers["etag"]) == (204, None, "1")


async def test_its_body_is_validated_too() -> None:
    wrong = WHOLE.replace(b'"A"', b"[1]")
    async with serve_script(respond_with(wrong)) as server, ExampleClient(server.url) as client:
        with pytest.raises(UpstreamInvalid, match=r"\[0\].sku string_type"):
            await fetch(client)
