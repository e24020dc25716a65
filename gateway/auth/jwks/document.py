"""Gets a JSON document over HTTP: redirects within the origin, content codings, bounded size."""

from typing import NamedTuple

import httpx

from gateway.auth.jwks.fetch_error import describe_fetch_error, show_url
from gateway.auth.jwt.refusal import show
from gateway.upstream.content_decoding import NotDecodable, decode_content
from gateway.upstream.error_mapping import parse_retry_after

MAX_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class DocumentUnavailable(Exception):
    """The document could not be fetched; the message names the URL and the reason.

    `retry_after` is in seconds; None if the server does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Document(NamedTuple):
    """A document; `source` names its URL and content type, for the log."""

    body: bytes
    source: str


class _Busy(ValueError):
    """The server asks to be left alone for `retry_after` seconds."""

    def __init__(self, status: int, retry_after: float | None) -> None:
        super().__init__(f"status {status} instead of 200")
        self.retry_after = retry_after


async def get_document(client: httpx.AsyncClient, url: str, max_bytes: int) -> Document:
    """Get the document at `url`.

    Raises:
        DocumentUnavailable: no response, another status than 200, or more than `max_bytes` bytes.
    """
    first = httpx.URL(url)
    try:
        return await _follow_redirects(client, first, max_bytes)
    except _Busy as error:
        raise DocumentUnavailable(f"{show_url(first)}: {error}", error.retry_after) from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        reason = str(error) if type(error) is ValueError else describe_fetch_error(error)
        raise DocumentUnavailable(f"{show_url(first)}: {reason}") from error


async def _follow_redirects(client: httpx.AsyncClient, url: httpx.URL, max_bytes: int) -> Document:
    for _ in range(MAX_REDIRECTS + 1):
        async with client.stream("GET", url) as response:
            if response.status_code not in _REDIRECTS:
                kind = response.headers.get("content-type", "no content type")[:80]
                body = await _read_body(response, max_bytes)
                return Document(body, f"{show_url(url)} ({show(kind)[1:-1]})")
            url = _resolve_redirect(url, response)
    raise ValueError(f"more than {MAX_REDIRECTS} redirects")


def _resolve_redirect(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    """Return the target of a redirect. Another origin is refused: the settings do not trust it."""
    location = response.headers.get("location")
    if location is None:
        raise ValueError(f"status {response.status_code} without Location")
    target = url.join(location).copy_with(userinfo=b"", fragment=None)
    if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
        raise ValueError(
            f"it redirects to another origin, {show_url(target)[:200]}; "
            "if that is right, set this URL in the settings"
        )
    return target


async def _read_body(response: httpx.Response, max_bytes: int) -> bytes:
    if response.status_code in (429, 503):
        retry_after = parse_retry_after(response.headers.get("retry-after", ""))
        raise _Busy(response.status_code, retry_after)
    if response.status_code != 200:
        raise ValueError(f"status {response.status_code} instead of 200")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise ValueError(f"document of more than {max_bytes} bytes")
    try:
        return decode_content(response.headers.get("content-encoding", ""), bytes(body), max_bytes)
    except NotDecodable as error:
        raise ValueError(str(error)) from None
