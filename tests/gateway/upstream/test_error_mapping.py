"""Statuses and transport failures become errors of the tree."""

import httpx
import pytest
import respx

from gateway.upstream.errors import (
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from tests.gateway.upstream.example_client import Shop


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
        ("3601", None),
        ("-1", None),
        ("1.5", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("9" * 5_000, None),
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
