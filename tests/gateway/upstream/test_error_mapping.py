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
from tests.gateway.upstream.example_client import ExampleClient


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *[(status, UpstreamRefused) for status in (301, 304, 307, 400, 401, 403, 404, 409, 422)],
        *[(status, UpstreamUnavailable) for status in (429, 500, 501, 502, 503, 504, 599)],
    ],
)
async def test_a_status_becomes_an_error(
    routes: respx.Router, client: ExampleClient, status: int, error: type[UpstreamError]
) -> None:
    routes.get("/items/A").respond(status, headers={"location": "http://evil.test/"})
    with pytest.raises(error) as caught:
        await client.item("A")
    assert (caught.value.service, caught.value.operation) == ("orders", "GET /items/{sku}")
    assert caught.value.status == status


@pytest.mark.parametrize("location", ["http://[", "ftp://a", "//", "http://a:b", "\x7f", " "])
async def test_the_target_of_a_redirect_is_ignored(
    mock: respx.MockRouter, client: ExampleClient, location: str
) -> None:
    mock.get("/items/A").respond(302, headers={"location": location})
    with pytest.raises(UpstreamRefused, match="status 302"):
        await client.item("A")


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/login?token=s3cret", ", Location: /login"),
        ("https://u:s3cret@id.test/login?x=1#s3cret", ", Location: https://id.test/login"),
        ("//id.test:81/a", ", Location: //id.test:81/a"),
        ("/" + "a" * 500, ", Location: /" + "a" * 199),
        ("", ""),
        ("?s3cret", ""),
    ],
)
async def test_the_target_of_a_redirect_is_logged_without_its_query(
    routes: respx.Router, client: ExampleClient, location: str, shown: str
) -> None:
    routes.get("/items/A").respond(302, headers={"location": location})
    with pytest.raises(UpstreamRefused) as caught:
        await client.item("A")
    assert caught.value.detail == f"status 302{shown}"


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
async def test_retry_after_is_parsed(
    routes: respx.Router, client: ExampleClient, text: str, seconds: float | None
) -> None:
    routes.get("/items/A").respond(503, headers=[(b"Retry-After", text.encode())])
    with pytest.raises(UpstreamUnavailable) as caught:
        await client.item("A")
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
async def test_a_transport_failure_becomes_an_error(
    mock: respx.MockRouter,
    client: ExampleClient,
    failure: type[Exception],
    error: type[UpstreamError],
) -> None:
    mock.get("/items/A").mock(side_effect=failure("http://user:s3cret@shop.test"))
    with pytest.raises(error) as caught:
        await client.item("A")
    assert failure.__name__ in str(caught.value)
    assert "s3cret" not in str(caught.value)
