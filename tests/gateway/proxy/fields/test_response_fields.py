"""What of a service's response goes back to the caller."""

import sys
from types import FrameType
from typing import Any

import pytest

from gateway.proxy import Proxy
from gateway.proxy.fields.response_fields import ResponseFields
from gateway.proxy.fields.via import PSEUDONYM
from gateway.settings.schema import Service
from tests.gateway.proxy.routed import build_scope

Field = tuple[bytes, bytes]
VIA = (b"via", b"1.1 " + PSEUDONYM)
CACHE_FIELDS = (
    b"X-Accel-Expires", b"Edge-Control", b"Surrogate-Key", b"Akamai-Cache-Control",
    b"Akamai-CDN-Cache-Control", b"Vercel-CDN-Cache-Control", b"Netlify-CDN-Cache-Control",
    b"Netlify-Vary", b"Fastly-Cache-Control", b"Fastly-Surrogate-Control", b"X-Cache-Control",
    b"X-LiteSpeed-Cache-Control", b"X-Varnish-TTL", b"X-Cache-TTL", b"X-TTL",
    b"X-Akamai-Edgescape", b"X-ESI",
)  # fmt: skip


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
        b"Surrogate-Control", b"Set-Cookie2", *CACHE_FIELDS, b"X-Accel-Charset",
        b"X-Accel-Limit-Rate", b"X-LiteSpeed-Location", b"X-Sendfile2",
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


@pytest.mark.parametrize("name", [b"CDN-Cache-Control", b"Surrogate-Control", *CACHE_FIELDS])
def test_a_public_response_may_be_stored(name: bytes) -> None:
    assert keep((name, b"max-age=1"), public="a test") == [(name.lower(), b"max-age=1")]


def count_calls(*received: Field, raw_path: bytes) -> int:
    """Count the Python functions that are called to build the fields of a response."""
    proxy = Proxy("/items/{id}/{path:path}", to="items", public="a test", target="/{path}")
    scope = build_scope(proxy, raw_path)
    assert scope is not None
    built = ResponseFields(proxy, Service.model_validate({"url": "http://items"}))
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        built.build(received, scope)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("raw_path", [b"/items/1/2", b"/items/" + b"%C3%A9" * 600 + b"/2"])
@pytest.mark.parametrize(
    "fields",
    [[(b"Link", b"</a>," * 11_500)], [(b"Link", b"</a>")] * 100, [(b"Location", b"/a")] * 5_000],
)
def test_many_references_cost_bounded_work(fields: list[Field], raw_path: bytes) -> None:
    few = count_calls((b"Link", b"</a>"), raw_path=raw_path)
    assert count_calls(*fields, raw_path=raw_path) < few + 2_000


def test_what_exceeds_the_bound_is_removed() -> None:
    full = (b"Link", b"</v1/a>," * 100)
    location = (b"Location", b"/v1/a")
    assert keep(location, (b"Link", b"</v1/a>," * 99))[1:] == [(b"link", b"</items/a>," * 99)]
    assert keep(location, full) == [(b"location", b"/items/a")]
    assert keep((b"Link", b"</v1/a>," * 101)) == []


@pytest.mark.parametrize("name", [b"Location", b"Content-Location", b"Refresh", b"Link"])
def test_a_reference_that_could_name_a_host_is_removed(name: bytes) -> None:
    wrapped = {b"Refresh": b"0; url=%b", b"Link": b"</v1/a>, <%b>"}.get(name, b"%b")
    assert keep((name, wrapped % b"/v1/\t/evil.example"), (b"X-A", b"1")) == [(b"x-a", b"1")]


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
        (b"set-cookie", b"a=1; HttpOnly; Path=/items/"),
        (b"set-cookie", b"b=2; Path=/items/x"),
    ]


SET: dict[str, Any] = {
    "set_response_headers": {"X-Frame-Options": "DENY", "Cache-Control": "private, max-age=9"},
    "remove_response_headers": ["X-Backend", "etag"],
}


def test_the_fields_that_the_route_sets_replace_those_of_the_service() -> None:
    received = [
        (b"X-Frame-Options", b"ALLOWALL"), (b"x-frame-options", b"x"), (b"Cache-Control", b"a"),
        (b"X-BACKEND", b"b7"), (b"ETag", b"1"), (b"X-A", b"1"),
    ]  # fmt: skip
    assert build(*received, **SET) == [
        (b"x-a", b"1"),
        VIA,
        (b"x-frame-options", b"DENY"),
        (b"cache-control", b"private, max-age=9"),
    ]


def test_a_service_cannot_take_a_field_of_the_route_away() -> None:
    received = (b"Connection", b"x-frame-options")
    assert (b"x-frame-options", b"DENY") in build(received, **SET)


def test_a_route_can_set_a_field_that_a_service_must_not_set() -> None:
    hsts = {"Strict-Transport-Security": "max-age=9"}
    built = build((b"Strict-Transport-Security", b"max-age=0"), set_response_headers=hsts)
    assert built == [VIA, (b"strict-transport-security", b"max-age=9")]


def test_a_trailer_brings_no_field_back_that_the_route_sets_or_removes() -> None:
    proxy = Proxy("/items/{path:path}", to="items", requires=(), **SET)
    fields = ResponseFields(proxy, Service.model_validate({"url": "http://items"}))
    trailers = [(b"X-Frame-Options", b"a"), (b"x-backend", b"b"), (b"X-C", b"1")]
    assert fields.select_trailers(trailers) == [(b"X-C", b"1")]


def test_many_names_do_not_fill_the_cache() -> None:
    proxy = Proxy("/items/{path:path}", to="items", public="a test")
    built = ResponseFields(proxy, Service.model_validate({"url": "http://items"}))
    scope = build_scope(proxy, b"/items/1")
    assert scope is not None
    for number in range(2_000):
        assert built.build([(b"X-%d" % number, b"1")], scope) == [(b"x-%d" % number, b"1"), VIA]
        assert b"X-%d" % number in built._rules  # in spite of all those before
        assert len(built._rules) <= 1_024
