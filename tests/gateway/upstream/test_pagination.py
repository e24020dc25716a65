"""All pages of a resource: by link, by cursor, by number; bounded."""

import asyncio

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from gateway.testing import run_in_virtual_time
from gateway.upstream.errors import UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable
from gateway.upstream.model import ResponseModel
from gateway.upstream.pagination import MAX_LINK_CHARACTERS, InvalidLink, get_next_link_params
from gateway.upstream.query import Params, encode_query
from gateway.upstream.response import UpstreamResponse
from tests.gateway.upstream.example_client import URL, ExampleClient, Item


class Page(ResponseModel):
    items: list[Item]
    next: str | None = None


def next_cursor(page: UpstreamResponse[Page]) -> Params | None:
    return None if page.content.next is None else {"cursor": page.content.next}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ('<https://x.test/o?page=2&per=3>; rel="next", </o?page=9>; rel="last"', "page=2&per=3"),
        ('</o?page=1>; rel="prev", </o?page=3>; rel="next"', "page=3"),
        ('<?cursor=a%2Bb&sku=1&sku=2>; rel="next last"', "cursor=a%2Bb&sku=1&sku=2"),
        ('</o?page=2>; title="a; b, c"; rel=next', "page=2"),
        ('</o?page=2>; title="say \\"<next>\\""; REL=NEXT', "page=2"),
        ('</o?ids=1,2>;rel="next"', "ids=1%2C2"),
        ("</o?page=2> ; rel = next", "page=2"),
        ('</o?page=2>; rel="prev"; rel="next"', None),
        ('</o?page=2>; title="rel=next"', None),
        ('</o?page=2>; rel="nextpage"', None),
        ('</o>; rel="next"', ""),
        ('rel="next"', None),
        ("<>;" * 1_000 + " " * 1_000, None),
    ],
)
def test_the_query_of_the_next_link(header: str | None, expected: str | None) -> None:
    headers = httpx.Headers({} if header is None else {"Link": header})
    found = get_next_link_params(UpstreamResponse(200, headers, None))
    assert (
        found is None
        if expected is None
        else encode_query(found) == ("?" + expected)[: None if expected else 0]
    )


PARAMS = st.dictionaries(st.text(min_size=1, max_size=3), st.lists(st.text(max_size=3), min_size=1))


@pytest.mark.parametrize("piece", ["<", "<>;", '<>;a="', '<>;a="\\', "<> ;a = ", "<>;\t", "<a>;=;"])
def test_a_long_link_header_is_refused_unread(piece: str) -> None:
    headers = httpx.Headers({"Link": piece * (MAX_LINK_CHARACTERS // len(piece) + 1)})
    with pytest.raises(InvalidLink, match="the Link header has more than 8192 characters"):
        get_next_link_params(UpstreamResponse(200, headers, None))


def test_a_target_does_not_begin_inside_another() -> None:
    headers = httpx.Headers({"Link": "<<?a=1</o?page=2>; rel=next"})
    found = get_next_link_params(UpstreamResponse(200, headers, None))
    assert found == {"page": ["2"]}


@given(params=PARAMS, title=st.text("ab;,<>= ", max_size=6), first=st.booleans())
def test_any_query_is_read_from_a_link(
    params: dict[str, list[str]], title: str, first: bool
) -> None:
    try:
        query = encode_query(params)
    except UnicodeEncodeError:
        return  # a lone surrogate has no encoding
    links = [f'<https://x.test/o{query}>; title="{title}"; rel="next"', '</o?z=1>; rel="prev"']
    headers = httpx.Headers({"Link": ", ".join(links if first else reversed(links))})
    assert get_next_link_params(UpstreamResponse(200, headers, None)) == params


async def test_links_are_followed_with_their_query_only(
    mock: respx.MockRouter, client: ExampleClient
) -> None:
    last = mock.get("/items", params={"page": "2", "q": "a"}).respond(json=[{"sku": "B"}])
    link = '<http://elsewhere.test/other?page=2>; rel="next"'
    mock.get("/items", params={"q": "a", "page": "1"}).respond(
        json=[{"sku": "A"}], headers={"Link": link}
    )
    pages = await client.get_pages(
        "/items", params={"q": "a", "page": 1}, headers={"X-Key": "k"}, into=list[Item], max_pages=2
    )
    assert pages == [[Item(sku="A")], [Item(sku="B")]]
    assert last.calls.last.request.headers["x-key"] == "k"


async def test_a_cursor_of_the_body_is_followed(
    mock: respx.MockRouter, client: ExampleClient
) -> None:
    mock.get("/shelves/7/items", params={"cursor": "c2"}).respond(json={"items": []})
    mock.get("/shelves/7/items").respond(json={"items": [{"sku": "A"}], "next": "c2"})
    pages = await client.get_pages(
        "/shelves/{id}/items", id=7, into=Page, max_pages=5, next_params=next_cursor
    )
    assert [item.sku for page in pages for item in page.items] == ["A"]
    assert len(pages) == 2


async def test_more_pages_than_allowed_are_an_error(
    mock: respx.MockRouter, client: ExampleClient
) -> None:
    route = mock.get("/items").respond(json={"items": [], "next": "again"})
    with pytest.raises(UpstreamInvalid, match=r"GET /items: invalid \(there are more than 3 pages"):
        await client.get_pages("/items", into=Page, max_pages=3, next_params=next_cursor)
    assert route.call_count == 3


@pytest.mark.parametrize(("timeout", "seconds"), [(None, 2.0), (0.5, 0.5)])
def test_the_timeout_is_for_all_pages_together(timeout: float | None, seconds: float) -> None:
    async def respond(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.4)
        return httpx.Response(200, json={"items": [], "next": "again"})

    async def get_pages() -> float:
        started_at = asyncio.get_running_loop().time()
        async with ExampleClient(
            URL, timeout=2.0, transport=httpx.MockTransport(respond)
        ) as client:
            with pytest.raises(UpstreamTimeout):
                await client.get_pages(
                    "/items", into=Page, max_pages=99, next_params=next_cursor, timeout=timeout
                )
        return asyncio.get_running_loop().time() - started_at

    assert run_in_virtual_time(get_pages()) == pytest.approx(seconds)


async def test_a_failed_page_fails_all(mock: respx.MockRouter, client: ExampleClient) -> None:
    mock.get("/items", params={"page": "2"}).respond(503)
    mock.get("/items").respond(json=[], headers={"Link": "</items?page=2>; rel=next"})
    with pytest.raises(UpstreamUnavailable):
        await client.get_pages("/items", into=list[Item], max_pages=3)


async def test_a_link_that_is_no_url_is_invalid(
    mock: respx.MockRouter, client: ExampleClient
) -> None:
    mock.get("/items").respond(json=[], headers={"Link": "<http://[::1>; rel=next"})
    with pytest.raises(UpstreamInvalid, match="the link to the next page is not a URL"):
        await client.get_pages("/items", into=list[Item], max_pages=3)


async def test_a_long_link_header_is_invalid(mock: respx.MockRouter, client: ExampleClient) -> None:
    mock.get("/items").respond(json=[], headers={"Link": "<" * 32_000})
    with pytest.raises(UpstreamInvalid, match="the Link header has more than 8192 characters"):
        await client.get_pages("/items", into=list[Item], max_pages=3)
