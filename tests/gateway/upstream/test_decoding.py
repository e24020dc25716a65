"""Response bodies become values, or an error that says where they are wrong."""

import httpx
import pytest
import respx

from gateway.upstream.errors import UpstreamInvalid
from tests.gateway.upstream.example_client import ExampleClient, Item

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/ld+json"])
async def test_other_json_media_types_are_accepted(
    routes: respx.Router, client: ExampleClient, content_type: str
) -> None:
    routes.get("/items/A").respond(content=b'{"sku":"A"}', headers={"content-type": content_type})
    assert await client.item("A") == Item(sku="A")


async def test_no_content_ignores_the_body(routes: respx.Router, client: ExampleClient) -> None:
    routes.delete("/items/A").respond(204)
    await client.remove("A")
    routes.delete("/items/B").respond(200, text="gone")
    await client.remove("B")


@pytest.mark.parametrize(
    ("body", "headers", "detail"),
    [
        (b"", JSON, "the body is empty"),
        (
            b'{"sku":"A"}',
            {"content-type": "text/html"},
            "the content type is 'text/html', not JSON",
        ),
        (b'{"sku":', JSON, "1 wrong: body json_invalid"),
        (b'{"sku":"\xff"}', JSON, "the body is not utf-8"),
        (b"[" * 900, JSON, "1 wrong: body json_invalid"),
        (b'{"sku":"A"} trailing', JSON, "1 wrong: body json_invalid"),
        (b"[]", JSON, "1 wrong: body dataclass_type"),
        (b'{"sku":1}', JSON, "1 wrong: sku string_type"),
        (b'{"sku":"A","stock":{"s3cret":"s3cret"}}', JSON, "1 wrong: stock.? int_type"),
        (b" " * 1_001, JSON, "the body is larger than 1000 bytes"),
        (b"\x1f\x8b", {**JSON, "content-encoding": "gzip"}, "the gzip body is cut off"),
        (b"a", {**JSON, "content-encoding": "br"}, "the br body is cut off"),
    ],
)
async def test_an_invalid_body_is_described_but_never_quoted(
    routes: respx.Router, client: ExampleClient, body: bytes, headers: dict[str, str], detail: str
) -> None:
    stream = httpx.ByteStream(body)
    routes.get("/items/A").mock(return_value=httpx.Response(200, headers=headers, stream=stream))
    with pytest.raises(UpstreamInvalid) as caught:
        await client.item("A")
    assert caught.value.detail == detail
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in str(error)
        error = error.__cause__ or error.__context__


async def test_only_the_first_invalid_item_of_a_list_is_reported(
    routes: respx.Router, client: ExampleClient
) -> None:
    routes.get("/items").respond(json=[{"sku": 1}] * 50)
    with pytest.raises(UpstreamInvalid) as caught:
        await client.search()
    assert caught.value.detail == "1 wrong: [0].sku string_type"
