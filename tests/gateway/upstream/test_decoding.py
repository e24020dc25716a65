"""Response bodies become values, or an error that says where they are wrong."""

import httpx
import pytest
import respx

from gateway.upstream.errors import UpstreamInvalid
from tests.gateway.upstream.example_client import Item, Shop

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/ld+json"])
async def test_json_by_its_other_names(routes: respx.Router, shop: Shop, content_type: str) -> None:
    routes.get("/items/A").respond(content=b'{"sku":"A"}', headers={"content-type": content_type})
    assert await shop.item("A") == Item(sku="A")


async def test_nothing_asked_for_nothing_read(routes: respx.Router, shop: Shop) -> None:
    routes.delete("/items/A").respond(204)
    await shop.remove("A")
    routes.delete("/items/B").respond(200, text="gone")
    await shop.remove("B")


@pytest.mark.parametrize(
    ("body", "headers", "detail"),
    [
        (b"", JSON, "the body is empty"),
        (b'{"sku":"A"}', {}, "the content type is not JSON"),
        (b'{"sku":"A"}', {"content-type": "text/html"}, "the content type is not JSON"),
        (b'{"sku":', JSON, "1 wrong: body json_invalid"),
        (b'{"sku":"\xff"}', JSON, "1 wrong: body json_invalid"),
        (b"[" * 900, JSON, "1 wrong: body json_invalid"),
        (b'{"sku":"A"} trailing', JSON, "1 wrong: body json_invalid"),
        (b"[]", JSON, "1 wrong: body dataclass_type"),
        (b'{"sku":1}', JSON, "1 wrong: sku string_type"),
        (b'{"sku":"A","stock":{"s3cret":"s3cret"}}', JSON, "1 wrong: stock.? int_type"),
        (b" " * 1_001, JSON, "the body is larger than 1000 bytes"),
        (b"\x1f\x8b", {**JSON, "content-encoding": "gzip"}, "the body is compressed"),
        (b"a", {**JSON, "content-encoding": "br"}, "the body is compressed"),
    ],
)
async def test_nonsense_is_named_never_quoted(
    routes: respx.Router, shop: Shop, body: bytes, headers: dict[str, str], detail: str
) -> None:
    stream = httpx.ByteStream(body)
    routes.get("/items/A").mock(return_value=httpx.Response(200, headers=headers, stream=stream))
    with pytest.raises(UpstreamInvalid) as caught:
        await shop.item("A")
    assert caught.value.detail == detail
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in str(error)
        error = error.__cause__ or error.__context__


async def test_the_first_wrong_item_of_a_list_says_enough(routes: respx.Router, shop: Shop) -> None:
    routes.get("/items").respond(json=[{"sku": 1}] * 50)
    with pytest.raises(UpstreamInvalid) as caught:
        await shop.search()
    assert caught.value.detail == "1 wrong: [0].sku string_type"
