"""The base client: requests as they are sent, and successful responses."""

import pytest
import respx

from gateway.upstream.client import NoContent, ServiceClient
from gateway.upstream.propagation import propagate_headers
from tests.gateway.upstream.example_client import ExampleClient, Item


async def test_the_target_and_the_headers_of_a_request(
    routes: respx.Router, client: ExampleClient
) -> None:
    route = routes.get("/items/a%2Fb").respond(json={"sku": "a/b"})
    with propagate_headers({"X-Request-Id": "r1", "traceparent": "00-1-2-01"}):
        await client.item("a/b", headers={"If-None-Match": '"1"'})
    request = route.calls.last.request
    assert request.url.raw_path == b"/v1/items/a%2Fb"
    assert dict(request.headers) == {
        "host": "shop.test",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "lockgate",
        "x-request-id": "r1",
        "traceparent": "00-1-2-01",
        "if-none-match": '"1"',
    }


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({}, b""),
        ({"q": None}, b""),
        ({"q": "a b&c=d", "limit": 3, "all": True}, b"q=a+b%26c%3Dd&limit=3&all=true"),
        ({"sku": ["A", "B"], "q": None}, b"sku=A&sku=B"),
    ],
)
async def test_query_parameters(
    routes: respx.Router, client: ExampleClient, params: dict[str, object], query: bytes
) -> None:
    route = routes.get("/items").respond(json=[])
    assert await client.search(**params) == []
    assert route.calls.last.request.url.query == query


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_model_is_sent_as_json(
    routes: respx.Router, client: ExampleClient, method: str
) -> None:
    route = routes.request(method, "/items").respond(json={"sku": "A"})
    verb = {"POST": client.post, "PUT": client.put, "PATCH": client.patch}[method]
    assert await verb("/items", json=Item(sku="A"), into=Item) == Item(sku="A")
    request = route.calls.last.request
    assert request.content == b'{"sku":"A","stock":null}'
    assert request.headers["content-type"] == "application/json"


async def test_bytes_are_sent_unchanged(routes: respx.Router, client: ExampleClient) -> None:
    route = routes.post("/items").respond(204)
    await client.post(
        "/items", content=b"a,b", headers={"Content-Type": "text/csv"}, into=NoContent
    )
    assert route.calls.last.request.content == b"a,b"
    assert route.calls.last.request.headers["content-type"] == "text/csv"


async def test_two_bodies_are_refused(client: ExampleClient) -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        await client.post("/items", content=b"", json=1, into=NoContent)


@pytest.mark.parametrize("status", [200, 201, 206])
async def test_every_success_status_is_decoded(
    routes: respx.Router, client: ExampleClient, status: int
) -> None:
    routes.get("/items/A").respond(status, json={"sku": "A"})
    assert await client.item("A") == Item(sku="A")


async def test_cookies_are_not_kept(routes: respx.Router, client: ExampleClient) -> None:
    route = routes.get("/items/A").respond(json={"sku": "A"}, headers={"set-cookie": "a=b; Path=/"})
    await client.item("A")
    await client.item("A")
    assert "cookie" not in route.calls.last.request.headers


@pytest.mark.parametrize("name", [None, "", "Orders", "or-ders", "1st"])
def test_a_service_name_must_be_an_identifier(name: str | None) -> None:
    with pytest.raises(TypeError, match="name="):
        type("Other", (ServiceClient,), {}, name=name)
