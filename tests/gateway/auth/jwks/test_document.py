"""Documents behind redirects, on a real socket."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable

import brotli
import httpx
import pytest
import pytest_asyncio
import zstandard

from gateway.auth.jwks.document import MAX_REDIRECTS, DocumentUnavailable, get_document
from gateway.auth.jwks.fetch import open_client
from tests.gateway.auth.identity_provider import IdentityProvider, Responder, send_response

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp() -> AsyncIterator[IdentityProvider]:
    async with IdentityProvider().serve() as idp:
        yield idp


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client() as client:
        yield client


def redirect(status: str, location: str | None) -> Responder:
    """Redirect every path but /new, which responds with a document."""

    async def respond(path: str, writer: asyncio.StreamWriter) -> None:
        if path.startswith("/new"):
            await send_response(writer, path.encode())
        else:
            headers = [] if location is None else [f"Location: {location}"]
            await send_response(writer, b"moved", status, *headers)

    return respond


async def get(http: httpx.AsyncClient, url: str) -> bytes:
    return (await get_document(http, url, 1_000)).body


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_within_the_origin_is_followed(
    idp: IdentityProvider, http: httpx.AsyncClient, status: int
) -> None:
    for location in ("/new", f"{idp.origin}/new", f"//{idp.origin[7:]}/new", "../new", "new#x"):
        idp.respond = redirect(f"{status} Moved", location)
        assert await get(http, f"{idp.origin}/keys") == b"/new"


async def test_the_query_of_the_target_is_kept(
    idp: IdentityProvider, http: httpx.AsyncClient
) -> None:
    idp.respond = redirect("302 Found", "/new?p=1")
    assert await get(http, f"{idp.origin}/keys?p=2") == b"/new?p=1"


async def test_credentials_in_a_redirect_are_not_sent(
    idp: IdentityProvider, http: httpx.AsyncClient
) -> None:
    idp.respond = redirect("302 Found", f"http://u:p@{idp.origin[7:]}/new")
    assert await get(http, f"{idp.origin}/keys") == b"/new"
    assert b"authorization" not in idp.request_heads[-1].lower()


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/new",
        "http://localhost/new",
        "http://169.254.169.254/latest",
        "https://127.0.0.1/new",
        "//example.test/new",
        "file:///etc/passwd",
    ],
)
async def test_a_redirect_to_another_origin_is_refused_by_name(
    idp: IdentityProvider, http: httpx.AsyncClient, location: str
) -> None:
    idp.respond = redirect("302 Found", location)
    before = len(idp.requested_paths)
    with pytest.raises(DocumentUnavailable, match=r"redirects to another origin, .*settings"):
        await get(http, f"{idp.origin}/keys")
    assert len(idp.requested_paths) == before + 1


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("/again", f"more than {MAX_REDIRECTS} redirects"),
        (None, "status 302 without Location"),
        ("http://[::1", "Invalid URL in location header"),
    ],
)
async def test_redirects_are_bounded(
    idp: IdentityProvider, http: httpx.AsyncClient, location: str | None, problem: str
) -> None:
    idp.respond = redirect("302 Found", location)
    before = len(idp.requested_paths)
    with pytest.raises(DocumentUnavailable, match=problem):
        await get(http, f"{idp.origin}/keys")
    assert len(idp.requested_paths) <= before + MAX_REDIRECTS + 1


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_compressed_document_is_decoded_within_the_bound(
    idp: IdentityProvider, http: httpx.AsyncClient, coding: str
) -> None:
    for body, problem in ((b"{}", ""), (bytes(1_001), "larger than 1000 bytes")):
        encoded = CODINGS[coding](body)

        async def respond(_path: str, writer: asyncio.StreamWriter, sent: bytes = encoded) -> None:
            await send_response(writer, sent, "200 OK", f"Content-Encoding: {coding}")

        idp.respond = respond
        if problem:
            with pytest.raises(DocumentUnavailable, match=problem):
                await get(http, f"{idp.origin}/keys")
        else:
            assert await get(http, f"{idp.origin}/keys") == body


async def test_the_url_in_a_message_has_no_secret(
    idp: IdentityProvider, http: httpx.AsyncClient
) -> None:
    idp.respond = redirect("404 Not Found", None)
    url = f"http://user:hunter2@{idp.origin[7:]}/keys?secret=hunter2"
    with pytest.raises(DocumentUnavailable) as raised:
        await get(http, url)
    assert str(raised.value) == f"{idp.origin}/keys: status 404 instead of 200"
