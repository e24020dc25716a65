"""Both senders send the request that httpx would send."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from gateway.transport.request_writer import SerializedRequest
from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.call import Call
from gateway.upstream.propagation import propagate_headers
from gateway.upstream.sender import Bounds, DirectSender, HttpxSender
from gateway.upstream.url_template import expand

URLS = [
    "http://service.test",
    "http://service.test:80/v1/",
    "https://service.test:8443/a%20b/ü",
    "http://[::1]:8000/x",
    "http://bücher.test/a/../b",
]


DEFAULTS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "lockgate",
}


HEADERS = st.dictionaries(
    st.sampled_from(["x-a", "x-b", "accept", "user-agent", "content-type"]),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8),
    max_size=3,
)


BODIES: list[dict[str, Any]] = [{}, {"json": {"a": 1}}, {"json": []}, {"content": b"a\r\n"}]


CALLS = st.builds(
    lambda method, segment, params, headers, body: Call(
        method, "/items/{id}/x", {"id": segment}, params, headers, **body
    ),
    st.sampled_from(["GET", "DELETE", "HEAD", "POST", "PUT", "PATCH", "OPTIONS"]),
    st.sampled_from(["a", "a/b", "a b", "%2e", "é", "?#"]) | st.integers(),
    st.none() | st.dictionaries(st.sampled_from("ab "), st.sampled_from(["c d", "+", 1, True])),
    st.none() | HEADERS,
    st.sampled_from(BODIES),
)


Lines = tuple[bytes, set[bytes], bytes]


def split(data: bytes) -> Lines:
    """Split into start line, header lines (order and case of names do not matter) and body."""
    head, _, body = data.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    fields = [line.split(b": ", 1) for line in lines]
    assert len({name.lower() for name, _ in fields}) == len(fields)
    return start, {b"%b: %b" % (name.lower(), value) for name, value in fields}, body


async def serialize(request: httpx.Request) -> Lines:
    message = await SerializedRequest.serialize(request)
    assert isinstance(message.body, bytes)
    return split(message.head + message.body)


async def serialize_with_httpx(url: str, call: Call, outer: dict[str, str]) -> Lines:
    """Serialize the call with httpx alone."""
    described = {} if call.json is None else {"content-type": "application/json"}
    request = httpx.Request(
        call.method,
        url.rstrip("/") + expand(call.path, call.segments),
        params=call.params or None,
        headers={**DEFAULTS, **outer, **described, **(call.headers or {})},
        content=call.content if call.json is None else to_json(call.json),
    )
    return await serialize(request)


@settings(deadline=None, max_examples=250)
@given(url=st.sampled_from(URLS), call=CALLS, outer=HEADERS)
async def test_both_senders_send_what_httpx_would(
    url: str, call: Call, outer: dict[str, str]
) -> None:
    service = (Transport(), BaseUrl.of(url), Bounds(connect_timeout=1, max_body_bytes=1))
    expected = await serialize_with_httpx(url, call, outer)
    with propagate_headers(outer):
        call = replace(call)  # made here, for this request
        assert split(DirectSender(*service)._serialize(call)) == expected
        assert await serialize(HttpxSender(*service)._request(call)) == expected


@pytest.mark.parametrize("method", ["", "G T", "GET /x HTTP/1.1\r\nX:", "CONNECT", "get", "GET\n"])
def test_an_invalid_method_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="no such method"):
        Call(method, "/", {}).serialize()


def test_the_length_of_a_target_is_bounded() -> None:
    with pytest.raises(ValueError, match="too long"):
        Call("GET", "/{id}", {"id": "a" * 70_000}).serialize()
