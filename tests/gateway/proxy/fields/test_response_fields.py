"""What of a service's response goes back to the caller."""

from typing import Any

import pytest

from gateway.proxy import Proxy
from gateway.proxy.fields.response_fields import ResponseFields
from gateway.proxy.fields.via import PSEUDONYM
from gateway.settings.schema import Service
from tests.gateway.proxy.routed import build_scope

Field = tuple[bytes, bytes]
VIA = (b"via", b"1.1 " + PSEUDONYM)


def build(*received: Field, **options: Any) -> list[Field]:
    access = {} if "public" in options else {"requires": "items:read"}
    proxy = Proxy("/items/{path:path}", to="items", **{**access, **options})
    scope = build_scope(proxy, b"/items/1")
    assert scope is not None
    service = Service.model_validate({"url": "http://items.internal:9105/v1"})
    built = ResponseFields(proxy, service)
    first = built.build(received, scope)
    assert built.build(received, scope) == first  # with the rules that it has cached
    return first


def keep(*received: Field, **options: Any) -> list[Field]:
    *kept, via = build(*received, **options)
    assert via == VIA
    return kept


@pytest.mark.parametrize(
    "name",
    [
        b"Accept-Ranges", b"Age", b"Allow", b"Content-Disposition", b"Content-Encoding",
        b"Content-Language", b"Content-Length", b"Content-Range", b"Content-Security-Policy",
        b"Content-Type", b"Deprecation", b"ETag", b"Expires", b"Last-Modified", b"Retry-After",
        b"Server-Timing", b"Vary", b"X-Accel-Buffering", b"X-Content-Type-Options",
        b"X-Frame-Options",
        b"X-Total-Count", b"x_total", b"Sec-WebSocket-Accept", b"Sec-WebSocket-Protocol",
        b"Accept-Patch", b"DAV", b"Digest", b"Sunset", b"Tus-Resumable", b"Warning",
    ],
)  # fmt: skip
def test_an_end_to_end_field_goes_back(name: bytes) -> None:
    assert keep((name, b"a\xe9\tb")) == [(name.lower(), b"a\xe9\tb")]


@pytest.mark.parametrize(
    "name",
    [
        b"Connection", b"Keep-Alive", b"Proxy-Connection", b"Proxy-Authenticate", b"Trailer", b"TE",
        b"Transfer-Encoding", b"Upgrade", b"Access-Control-Allow-Origin",
        b"Access-Control-Allow-Credentials", b"Access-Control-Expose-Headers",
        b"Timing-Allow-Origin", b"RateLimit", b"RateLimit-Policy", b"RateLimit-Remaining",
        b"X-RateLimit-Limit", b"X-Rate-Limit-Reset", b"X-Request-ID", b"Date", b"Server",
        b"X-Powered-By", b"X-AspNet-Version", b"Alt-Svc", b"Strict-Transport-Security",
        b"Public-Key-Pins", b"Clear-Site-Data", b"NEL", b"Report-To", b"Service-Worker-Allowed",
        b"X-Accel-Redirect", b"X-Sendfile", b"X-Reproxy-URL", b"Set-Cookie", b"WWW-Authenticate",
        b"Authentication-Info", b"CDN-Cache-Control", b"Cloudflare-CDN-Cache-Control",
        b"Surrogate-Control", b"Set-Cookie2",
    ],
)  # fmt: skip
def test_a_field_that_the_service_must_not_set_is_removed(name: bytes) -> None:
    for spelling in (name, name.lower(), name.upper()):
        assert keep((spelling, b"1")) == []


@pytest.mark.parametrize("name", [b"WWW-Authenticate", b"Authentication-Info"])
def test_a_challenge_goes_back_if_the_token_went_on(name: bytes) -> None:
    options = {"forward_token": True, "identity": "none"}
    assert keep((name, b"Bearer"), **options) == [(name.lower(), b"Bearer")]


def test_a_field_that_connection_names_is_removed() -> None:
    received = [(b"X-Hop", b"1"), (b"Connection", b"close, x-hop"), (b"X-End", b"2")]
    assert keep(*received) == [(b"x-end", b"2")]


def test_the_hops_before_are_kept_in_via() -> None:
    assert build((b"Via", b"1.1 a"), (b"Via", b"1.1 b")) == [(b"via", b"1.1 a, 1.1 b, " + VIA[1])]


@pytest.mark.parametrize(
    ("received", "kept"),
    [
        ([b"public, max-age=60"], b"private, max-age=60"),
        ([b"max-age=60"], b"private, max-age=60"),
        ([b"s-maxage=60, max-age=5, must-revalidate"], b"private, max-age=5, must-revalidate"),
        ([b"PUBLIC", b"S-MaxAge=1"], b"private"),
        ([b"no-cache"], b"private, no-cache"),
        ([b"private, max-age=60"], b"private, max-age=60"),
        ([b"Private"], b"Private"),
        ([b"no-store"], b"no-store"),
        ([b'private="set-cookie, x", public'], b"private"),
        ([b'no-cache="a, public", max-age=1'], b'private, no-cache="a, public", max-age=1'),
        ([b'max-age="1'], b'private, max-age="1'),
        ([b""], b"private"),
        ([b"public, ,x=1,"], b"private, x=1"),
        ([b"public, " + b"x=1, " * 110], b"no-store"),
    ],
)
def test_a_shared_cache_does_not_store_what_needs_a_token(
    received: list[bytes], kept: bytes
) -> None:
    fields = [(b"Cache-Control", value) for value in received]
    assert keep(*fields) == [(b"cache-control", kept)]
    public = [(b"cache-control", value) for value in received]
    assert keep(*fields, public="a test") == public


def test_a_public_response_may_be_stored() -> None:
    assert keep((b"CDN-Cache-Control", b"max-age=1"), public="a test") == [
        (b"cdn-cache-control", b"max-age=1")
    ]


@pytest.mark.parametrize(
    ("name", "received", "sent"),
    [
        (b"Location", b"/v1/2?a=b#c", b"/items/2?a=b#c"),
        (b"Content-Location", b"http://items.internal:9105/v1/2", b"/items/2"),
        (b"Link", b"</v1/?page=2>; rel=next", b"</items/?page=2>; rel=next"),
        (b"Refresh", b"5; url=/v1/2", b"5; url=/items/2"),
        (b"Location", b"https://elsewhere.example/v1/2", b"https://elsewhere.example/v1/2"),
    ],
)
def test_a_reference_to_the_service_leads_to_the_gateway(
    name: bytes, received: bytes, sent: bytes
) -> None:
    assert keep((name, received)) == [(name.lower(), sent)]


def test_cookies_go_back_if_the_route_forwards_them() -> None:
    received = (b"Set-Cookie", b"a=1; Path=/; Domain=items.internal; HttpOnly")
    second = (b"Set-Cookie", b"b=2; Path=/v1/x")
    assert keep(received, second) == []
    assert keep(received, second, forward_cookies=True) == [
        (b"set-cookie", b"a=1; Path=/items/; HttpOnly"),
        (b"set-cookie", b"b=2; Path=/items/x"),
    ]


def test_many_names_do_not_fill_the_cache() -> None:
    proxy = Proxy("/items/{path:path}", to="items", public="a test")
    built = ResponseFields(proxy, Service.model_validate({"url": "http://items"}))
    scope = build_scope(proxy, b"/items/1")
    assert scope is not None
    for number in range(2_000):
        assert built.build([(b"X-%d" % number, b"1")], scope) == [(b"x-%d" % number, b"1"), VIA]
    assert len(built._rules) == 1_024
