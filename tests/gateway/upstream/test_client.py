"""The base client: requests as they leave, and every answer as a value or an error of the tree."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import respx

from gateway.upstream.client import NoContent, ServiceClient
from gateway.upstream.deadline import deadline
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream.propagation import propagate_headers
from tests.gateway.upstream.example_client import Item, Shop
from tests.gateway.upstream.routed import routed_on_a_socket

URL = "http://shop.test/v1"
JSON = {"content-type": "application/json"}


@pytest.fixture
def mock() -> Iterator[respx.MockRouter]:
    """Routes in the transport's place."""
    with respx.mock(using="transport", assert_all_called=True, base_url=URL) as router:
        yield router


@pytest.fixture(params=["mocked", "on a socket"])
async def routes(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[respx.Router]:
    """Routes for both ways of a typed client: any transport, and the short one over ours."""
    if request.param == "mocked":
        yield request.getfixturevalue("mock")
        return
    router = respx.Router(assert_all_called=True, base_url=URL)
    async with routed_on_a_socket(router, URL, monkeypatch):
        yield router
    router.assert_all_called()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop(URL + "/", max_body_bytes=1_000) as client:
        yield client


async def test_a_request_as_it_leaves(routes: respx.Router, shop: Shop) -> None:
    route = routes.get("/items/a%2Fb").respond(json={"sku": "a/b"})
    with propagate_headers({"X-Request-Id": "r1", "traceparent": "00-1-2-01"}):
        await shop.item("a/b", headers={"If-None-Match": '"1"'})
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
async def test_parameters(
    routes: respx.Router, shop: Shop, params: dict[str, object], query: bytes
) -> None:
    route = routes.get("/items").respond(json=[])
    assert await shop.search(**params) == []
    assert route.calls.last.request.url.query == query


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_model_is_a_body(routes: respx.Router, shop: Shop, method: str) -> None:
    route = routes.request(method, "/items").respond(json={"sku": "A"})
    verb = {"POST": shop.post, "PUT": shop.put, "PATCH": shop.patch}[method]
    assert await verb("/items", json=Item(sku="A"), into=Item) == Item(sku="A")
    request = route.calls.last.request
    assert request.content == b'{"sku":"A","stock":null}'
    assert request.headers["content-type"] == "application/json"


async def test_bytes_are_a_body(routes: respx.Router, shop: Shop) -> None:
    route = routes.post("/items").respond(204)
    await shop.post("/items", content=b"a,b", headers={"Content-Type": "text/csv"}, into=NoContent)
    assert route.calls.last.request.content == b"a,b"
    assert route.calls.last.request.headers["content-type"] == "text/csv"


async def test_one_body_is_enough(shop: Shop) -> None:
    with pytest.raises(ValueError, match="exclude each other"):
        await shop.post("/items", content=b"", json=1, into=NoContent)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "b\r\nX-C: d"},
        {"X-A": "b\n"},
        {"X-A\r\nX-C": "d"},
        {"": "d"},
        {"X-A": "\x00"},
        {"X-A": "\u2028"},
        {"X-A": "\xe9"},
        {"Host": "evil.test"},
        {"Transfer-Encoding": "chunked"},
        {"Content-Length": "0"},
        {"Connection": "upgrade"},
    ],
)
async def test_headers_that_would_change_the_message_are_refused(
    shop: Shop, headers: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="header"):
        await shop.item("A", headers=headers)
    with pytest.raises(ValueError, match="header"), propagate_headers(headers):
        pytest.fail("it let them in")


@pytest.mark.parametrize("status", [200, 201, 206])
async def test_success(routes: respx.Router, shop: Shop, status: int) -> None:
    routes.get("/items/A").respond(status, json={"sku": "A"})
    assert await shop.item("A") == Item(sku="A")


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
    ("status", "error"),
    [
        *[(status, UpstreamRefused) for status in (301, 304, 307, 400, 401, 403, 404, 409, 422)],
        *[(status, UpstreamUnavailable) for status in (429, 500, 501, 502, 503, 504, 599)],
    ],
)
async def test_a_status_becomes_an_error(
    routes: respx.Router, shop: Shop, status: int, error: type[UpstreamError]
) -> None:
    routes.get("/items/A").respond(status, headers={"location": "http://evil.test/"})
    with pytest.raises(error) as caught:
        await shop.item("A")
    assert (caught.value.service, caught.value.operation) == ("orders", "GET /items/{sku}")
    assert caught.value.status == status


@pytest.mark.parametrize("location", ["http://[", "ftp://a", "//", "http://a:b", "\x7f", " "])
async def test_where_a_redirect_points_does_not_matter(
    mock: respx.MockRouter, shop: Shop, location: str
) -> None:
    mock.get("/items/A").respond(302, headers={"location": location})
    with pytest.raises(UpstreamRefused, match="status 302"):
        await shop.item("A")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        ("3600", 3600),
        ("3601", 3600),
        ("-1", None),
        ("1.5", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("9" * 5_000, 3600),
        ("\u0661", None),
    ],
)
async def test_how_long_to_wait(
    routes: respx.Router, shop: Shop, text: str, seconds: float | None
) -> None:
    routes.get("/items/A").respond(503, headers=[(b"Retry-After", text.encode())])
    with pytest.raises(UpstreamUnavailable) as caught:
        await shop.item("A")
    assert caught.value.retry_after == seconds


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


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (httpx.ConnectError, UpstreamUnavailable),
        (httpx.ReadError, UpstreamUnavailable),
        (httpx.WriteError, UpstreamUnavailable),
        (httpx.RemoteProtocolError, UpstreamUnavailable),
        (httpx.ConnectTimeout, UpstreamTimeout),
        (httpx.ReadTimeout, UpstreamTimeout),
        (httpx.WriteTimeout, UpstreamTimeout),
        (httpx.PoolTimeout, UpstreamTimeout),
    ],
)
async def test_a_failure_on_the_way(
    mock: respx.MockRouter, shop: Shop, failure: type[Exception], error: type[UpstreamError]
) -> None:
    mock.get("/items/A").mock(side_effect=failure("http://user:s3cret@shop.test"))
    with pytest.raises(error) as caught:
        await shop.item("A")
    assert failure.__name__ in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def _never(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError(request)


async def test_a_call_has_its_own_time() -> None:
    async with Shop(URL, transport=httpx.MockTransport(_never)) as shop:
        with pytest.raises(UpstreamTimeout):
            await shop.item("A", timeout=0.01)


async def test_a_deadline_around_it_shortens_it() -> None:
    async with Shop(URL, transport=httpx.MockTransport(_never)) as shop:
        with deadline(0.01), pytest.raises(UpstreamTimeout):
            await shop.item("A", timeout=60)


async def test_without_time_left_no_call_is_made(shop: Shop) -> None:
    with respx.mock(using="transport") as mock:
        with deadline(0), pytest.raises(UpstreamTimeout, match="no time was left"):
            await shop.item("A")
        assert len(mock.calls) == 0


async def test_being_cancelled_is_not_a_timeout() -> None:
    asked = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.set()
        return await _never(request)

    async with Shop(URL, transport=httpx.MockTransport(answer)) as shop:
        call = asyncio.create_task(shop.item("A"))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_cookies_are_not_kept(routes: respx.Router, shop: Shop) -> None:
    route = routes.get("/items/A").respond(json={"sku": "A"}, headers={"set-cookie": "a=b; Path=/"})
    await shop.item("A")
    await shop.item("A")
    assert "cookie" not in route.calls.last.request.headers


@pytest.mark.parametrize(
    "url",
    [
        "shop.test",
        "ftp://shop.test",
        "http://",
        "http://u:p@shop.test",
        "http://a/?b",
        "http://a#b",
        "http://a:b",
    ],
)
def test_an_address_is_only_an_address(url: str) -> None:
    with pytest.raises(ValueError, match="the address of a service"):
        Shop(url)


@pytest.mark.parametrize("name", [None, "", "Orders", "or-ders", "1st"])
def test_a_name_is_an_identifier(name: str | None) -> None:
    with pytest.raises(TypeError, match="name="):
        type("Other", (ServiceClient,), {}, name=name)
