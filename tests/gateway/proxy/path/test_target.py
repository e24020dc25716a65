"""What was matched and checked is what is sent, in every reading that services have."""

from dataclasses import replace
from posixpath import normpath
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from gateway.proxy import Proxy
from gateway.proxy.path.target import ProxyTarget
from gateway.request_path import InvalidPath
from gateway.settings.schema import Service
from tests.gateway.proxy.path_readings import (
    READINGS,
    read_as_tomcat,
    read_as_windows,
    read_twice,
)
from tests.gateway.proxy.routed import build_scope

BASE = "http://inventory.internal:9101/base"


def send(proxy: Proxy, raw_path: bytes, *, query: bytes = b"", url: str = BASE) -> bytes | str:
    """Return the target that is sent; the detail of the 400 if the path is refused."""
    try:
        scope = build_scope(proxy, raw_path, query=query)
    except InvalidPath as error:
        return f"400 The path {error}."
    assert scope is not None
    try:
        return ProxyTarget(proxy, Service(url=url)).build(scope)
    except HTTPException as error:
        return f"{error.status_code} {error.detail}"


ALL = Proxy("/inventory/{path:path}", to="inventory", public="a test")


@pytest.mark.parametrize(
    ("path", "target", "raw_path", "sent"),
    [
        ("/inventory/{path:path}", None, b"/inventory/", b"/base/"),
        ("/inventory/{path:path}", None, b"/inventory/items/1", b"/base/items/1"),
        ("/inventory/{path:path}", None, b"/inventory/items/1/", b"/base/items/1/"),
        ("/inventory/{path:path}", "/v2/{path}", b"/inventory/a", b"/base/v2/a"),
        ("/inventory/{path:path}", "/{path}.json", b"/inventory/a/b", b"/base/a/b.json"),
        ("/{path:path}", None, b"/a", b"/base/a"),
        ("/a-b/{path:path}", None, b"/a%2Db/c%2Dd", b"/base/c%2Dd"),
        ("/caf\u00e9/{path:path}", None, b"/caf%c3%a9/%C3%A9", b"/base/%C3%A9"),
        ("/a+b/{x}", None, b"/a%2bb/x+y", b"/base/x+y"),
        ("/users/{user}/f/{path:path}", None, b"/users/42/f/x", b"/base/42/f/x"),
        ("/users/{user}/f/{path:path}", "/f/{path}", b"/users/42/f/x", b"/base/f/x"),
        ("/f/{a}-{b}", "/{b}/{a}", b"/f/x%2Dy-z", b"/base/z/x%2Dy"),
        ("/f/{a}-{b}", "/{a}/{b}", b"/f/%C3%A9-%E2%82%AC", b"/base/%C3%A9/%E2%82%AC"),
        ("/f/{name}.json", "/{name}", b"/f/a.b%2ejson", b"/base/a.b"),
        ("/status", "/", b"/status", b"/base/"),
        ("/status", "/caf\u00e9", b"/status", b"/base/caf%C3%A9"),
    ],
)  # fmt: skip
def test_the_target_has_the_parameters_as_they_were_received(
    path: str, target: str | None, raw_path: bytes, sent: bytes
) -> None:
    proxy = Proxy(path, to="inventory", public="a test", target=target)
    assert send(proxy, raw_path) == sent


def test_an_empty_rest_in_the_middle_of_a_target_is_refused() -> None:
    proxy = replace(ALL, target="/x/{path}/y")
    assert send(proxy, b"/inventory/a/b") == b"/base/x/a/b/y"
    refused = send(proxy, b"/inventory/")
    assert refused == "400 The path leaves a segment of the service's path empty (//)."
    assert send(replace(ALL, target="/x/{path}.json"), b"/inventory/") == b"/base/x/.json"


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://inventory", b"/items"),
        ("http://inventory/", b"/items"),
        ("http://inventory/a/b/", b"/a/b/items"),
    ],
)
def test_the_target_begins_with_the_base_path(url: str, sent: bytes) -> None:
    assert send(ALL, b"/inventory/items", url=url) == sent


@pytest.mark.parametrize(
    "query", [b"a=1&a=2", b"a=%zz&b=+%2f..%00;&&=", b"?/?", b"url=http://x/y?z", b"x" * 9_000]
)
def test_the_query_is_sent_byte_for_byte(query: bytes) -> None:
    assert send(ALL, b"/inventory/a%20b", query=query) == b"/base/a%20b?" + query


@pytest.mark.parametrize(
    ("root_path", "raw_path"),
    [("/api", b"/api/inventory/x"), ("/a-b/c", b"/a%2Db/c/inventory/x%2Dy")],
)
def test_the_prefix_of_the_gateway_is_not_sent(root_path: str, raw_path: bytes) -> None:
    scope = build_scope(ALL, raw_path, root_path=root_path)
    assert scope is not None
    target = ProxyTarget(ALL, Service(url=BASE)).build(scope)
    assert target == b"/base/" + raw_path.rpartition(b"/")[2]


PLAIN = (
    b"caf%C3%A9", b"a%20b", b"C%23", b"what%3F", b"100%25", b"100%25x", b"a+b", b"a=b", b"a,b",
    b"a@b", b"a:b", b"~a", b"a%7Eb", b".well-known", b"a..b", b"..a", b"Inc.", b"%7B%7D", b"a%22b",
    b'a"b', b"a|b", b"%F0%9F%98%80", b"a%2eb", b"a&b", b"$a", b"(a)", b"a%26b", b"%5B1%5D",
)  # fmt: skip


@pytest.mark.parametrize("segment", PLAIN)
def test_an_unambiguous_path_is_sent_as_it_is(segment: bytes) -> None:
    assert send(ALL, b"/inventory/%b/x" % segment) == b"/base/%b/x" % segment
    assert send(ALL, b"/inventory/x/" + segment) == b"/base/x/" + segment


AMBIGUOUS = {
    "escaped slash": b"a%2fb",
    "escaped slash, upper case": b"a%2Fb",
    "escaped dot segment": b"%2e%2e/b",
    "half escaped dot segment": b".%2e/b",
    "dot segment": b"../b",
    "single dot": b"./b",
    "escaped dot segment and slash": b"%2e%2e%2fb",
    "dot segment and escaped slash": b"a%2f..%2fb",
    "escaped twice": b"%252e%252e/b",
    "slash escaped twice": b"a%252fb",
    "escaped three times": b"%25252e",
    "letter escaped twice": b"%2561dmin",
    "NUL": b"a%00b",
    "line feed": b"a%0ab",
    "carriage return and line feed": b"a%0d%0aX-User-Id:%201",
    "tab": b"a%09b",
    "DEL": b"a%7fb",
    "backslash": b"a\\b",
    "escaped backslash": b"a%5cb",
    "escaped backslash, upper case": b"..%5C",
    "path parameter": b"a;x=1/b",
    "Tomcat": b"..;/b",
    "Tomcat with a value": b"..;x=1/b",
    "parameters alone": b";x/b",
    "escaped semicolon": b"..%3b/b",
    "single dot and parameters": b".;/b",
    "empty segment": b"a//b",
    "empty first segment": b"/a",
    "three dots": b".../b",
    "three dots last": b"a/...",
    "dots and a space": b"..%20/b",
    "space and dots": b"%20../b",
    "overlong slash": b"a%c0%afb",
    "overlong dot": b"%c0%ae%c0%ae/b",
    "overlong of three bytes": b"%e0%80%af",
    "surrogate": b"%ed%a0%80",
    "IIS": b"%u002e%u002e/b",
    "IIS slash": b"a%u2215b",
    "bare percent sign": b"a%b%",
    "one digit": b"a%2",
    "escaped letter": b"%61dmin",
    "escaped digit": b"%34%32",
    "C1": b"a%c2%85b",
    "line separator": b"a%e2%80%a8b",
}


@pytest.mark.parametrize("path", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_path_is_refused(path: bytes) -> None:
    assert str(send(ALL, b"/inventory/" + path)).startswith("400 The path ")


@pytest.mark.parametrize(
    ("path", "is_sent"),
    [
        (b"group%2Fproject", True),
        (b"queues/%2F/q1", True),
        (b"queues/%2f", True),
        (b"feature%252Fx", True),
        (b"a%2Fb%252Fc", True),
        (b"..%2Fb", False),
        (b"a%2F..", False),
        (b"a%2F..%2Fb", False),
        (b"a%252F..%252Fb", False),
        (b"a%252F%252e%252e", False),
        (b"a%2F...", False),
        (b"a%2F.%20", False),
        (b"a%2F..;", False),
        (b"a%25252F", False),
        (b"a%5Cb", False),
        (b"a;b%2Fc", False),
    ],
)
def test_a_route_can_accept_escaped_slashes(path: bytes, is_sent: bool) -> None:
    proxy = Proxy("/i/{path:path}", to="inventory", public="a test", encoded_slashes=True)
    sent = send(proxy, b"/i/" + path)
    assert sent == b"/base/" + path if is_sent else isinstance(sent, str)


@pytest.mark.parametrize(
    ("path", "is_sent"),
    [
        (b"a;v=1/b", True),
        (b"a;v=1;w=2/b;x", True),
        (b"a%3Bb", True),
        (b"a;v=..", True),
        (b"..;/b", False),
        (b"..;v=1/b", False),
        (b".;/b", False),
        (b"...;/b", False),
        (b";/b", False),
        (b"%3B/b", False),
        (b"..%3Bx/b", False),
        (b"a;v=%2F", False),
        (b"a;v=%252e", False),
    ],
)
def test_a_route_can_accept_path_parameters(path: bytes, is_sent: bool) -> None:
    proxy = Proxy("/i/{path:path}", to="inventory", public="a test", path_parameters=True)
    sent = send(proxy, b"/i/" + path)
    assert sent == b"/base/" + path if is_sent else isinstance(sent, str)


TOKENS = st.sampled_from(
    [
        b"a", b"4", b"42", b"-", b"~", b".", b"..", b"/", b"//", b";", b";x=1", b"+", b"\\", b"=",
        b"%2F", b"%2f", b"%5C", b"%2e", b"%2E", b"%252e", b"%252F", b"%25", b"%", b"%20", b"%00",
        b"%0a", b"%0d", b"%7f", b"%3b", b"%3F", b"%23", b"%2D", b"%7e", b"%41", b"%c3%a9", b"%c0",
        b"%af", b"%e2%82%ac", b"%u002e", b"%c2%a0", b"%ef%bc%8f",
    ]
)  # fmt: skip
SUFFIXES = st.lists(TOKENS, max_size=8).map(b"".join)


FILES = Proxy("/users/{user}/files/{path:path}", to="files", requires="files:read", owner="user")


@given(user=SUFFIXES, path=SUFFIXES)
@example(user=b"42", path=b"a/../../43/files/b")
@example(user=b"42", path=b"..;/43/files/b")
@settings(deadline=None, max_examples=300)
def test_no_service_reads_another_owner_than_was_checked(user: bytes, path: bytes) -> None:
    try:
        scope = build_scope(FILES, b"/users/%b/files/%b" % (user, path))
    except InvalidPath:
        return
    if scope is None:
        return
    try:
        target = ProxyTarget(FILES, Service(url=BASE)).build(scope)
    except HTTPException:
        return
    checked = scope["path_params"]
    assert target == b"/base/%b/files/%b" % (user, path)
    for read in READINGS:
        seen = normpath(read(target)).split(b"/")
        assert seen[:2] == [b"", b"base"], read
        assert seen[2].decode() == checked["user"], read
        assert seen[3] == b"files", read
    _, _, _, *rest = target.removeprefix(b"/base").split(b"/")
    assert unquote_to_bytes(b"/".join(rest)).decode() == checked["path"]


OPEN = Proxy(
    "/p/{a}/{b}-{c}/{path:path}",
    to="files",
    public="a test",
    target="/x/{c}/{path}",
    encoded_slashes=True,
    path_parameters=True,
)


@given(a=SUFFIXES, b=SUFFIXES, c=SUFFIXES, path=SUFFIXES)
@settings(deadline=None, max_examples=300)
def test_an_open_route_sends_what_was_matched(a: bytes, b: bytes, c: bytes, path: bytes) -> None:
    try:
        scope = build_scope(OPEN, b"/p/%b/%b-%b/%b" % (a, b, c, path))
    except InvalidPath:
        return
    if scope is None:
        return
    try:
        target = ProxyTarget(OPEN, Service(url=BASE)).build(scope)
    except HTTPException:
        return
    matched = scope["path_params"]
    base, sent_c, sent_path = target.split(b"/x/", 1)[0], *target.split(b"/", 4)[3:]
    assert base == b"/base"
    assert unquote_to_bytes(sent_c).decode() == matched["c"]
    assert unquote_to_bytes(sent_path).decode() == matched["path"]
    for read in (read_as_tomcat, read_twice, read_as_windows):
        assert (normpath(read(target)) + b"/").startswith(b"/base/x/"), read
