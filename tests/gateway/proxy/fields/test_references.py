"""References of a service to itself lead to the gateway, and all others stay as they are."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy import Proxy
from gateway.proxy.fields.references import References
from gateway.settings.schema import Service
from tests.gateway.proxy.routed import build_scope


def rewrite(
    reference: bytes,
    *,
    name: bytes = b"location",
    path: str = "/items/{path:path}",
    raw_path: bytes = b"/items/1",
    url: str = "http://items.internal:9105",
    root_path: str = "",
    **options: Any,
) -> bytes | None:
    """Return the rewritten value, or None if the field is removed."""
    proxy = Proxy(path, to="items", public="a test", **options)
    scope = build_scope(proxy, raw_path, root_path=root_path)
    assert scope is not None
    references = References(proxy, Service.model_validate({"url": url}))
    return dict(references.rewrite([(name, reference)], scope)).get(name)


@pytest.mark.parametrize(
    ("reference", "sent"),
    [
        (b"/2", b"/items/2"),
        (b"/", b"/items/"),
        (b"/items/2", b"/items/items/2"),
        (b"/2?next=/3#/4", b"/items/2?next=/3#/4"),
        (b"http://items.internal:9105/2", b"/items/2"),
        (b"HTTP://Items.Internal:9105/2", b"/items/2"),
        (b"http://items.internal:9105", b"/items/"),
        (b"http://items.internal:9105?a", b"/items/?a"),
        (b"//items.internal:9105/2", b"/items/2"),
        (b"/%2e%2e/2", b"/items/%2e%2e/2"),
        (b'/a b?q=\xc3\xa9|<x>#"', b"/items/a%20b?q=%C3%A9%7C%3Cx%3E#%22"),
        (b"/ /evil.example", b"/items/%20/evil.example"),
        (b"/\xa0/evil.example", b"/items/%A0/evil.example"),
        (b"//items.internal:09105/2", b"/items/2"),
    ],
)
def test_a_reference_to_the_service_becomes_a_path_of_the_gateway(
    reference: bytes, sent: bytes
) -> None:
    assert rewrite(reference) == sent
    prefixed = rewrite(reference, root_path="/api", raw_path=b"/api/items/1")
    assert prefixed == b"/api" + sent


ELSEWHERE = (
    b"", b"2", b"./2", b"../2", b"?page=2", b"#a", b"http://items.internal/2",
    b"https://items.internal:9105/2", b"http://items.internal:91050/2",
    b"http://items.internal.evil.example:9105/2", b"http://items.internal:9105@evil.example/2",
    b"http://user@items.internal:9105/2", b"http://evil.example/items.internal:9105/2",
    b"//evil.example/2", b"http:///2", b"http:/2", b"mailto:a@b", b"ftp://items.internal:9105/2",
    b"http://items.internal:/2", b"http://[::1]/2", b"javascript:alert(1)",
    b"\\\\evil.example", b"http://api.example.com/2",
)  # fmt: skip


@pytest.mark.parametrize("reference", ELSEWHERE)
def test_a_reference_to_elsewhere_stays_as_it_is(reference: bytes) -> None:
    assert rewrite(reference) == reference


@pytest.mark.parametrize(
    ("url", "reference", "sent"),
    [
        ("http://items", b"http://items:80/2", b"/items/2"),
        ("http://items:80", b"http://items/2", b"/items/2"),
        ("https://items", b"https://items:443/2", b"/items/2"),
        ("https://items", b"http://items/2", b"http://items/2"),
        ("https://items", b"//items/2", b"/items/2"),
        ("http://[::1]:80", b"http://[::1]/2", b"/items/2"),
        ("http://items/v1", b"/v1/2", b"/items/2"),
        ("http://items/v1", b"/v1", b"/v1"),
        ("http://items/v1", b"/v10/2", b"/v10/2"),
        ("http://items/v1", b"/login", b"/login"),
        ("http://items/v1/", b"http://items/v1/2", b"/items/2"),
    ],
)
def test_origin_and_base_path_must_be_those_of_the_service(
    url: str, reference: bytes, sent: bytes
) -> None:
    assert rewrite(reference, url=url) == sent


@pytest.mark.parametrize(
    ("path", "target", "raw_path", "reference", "sent"),
    [
        ("/a/{path:path}", "/v2/{path}", b"/a/1", b"/v2/x", b"/a/x"),
        ("/a/{path:path}", "/v2/{path}", b"/a/1", b"/v3/x", b"/v3/x"),
        ("/a/{path:path}", "/a/{path}", b"/a/1", b"/a/x", b"/a/x"),
        ("/shops/{shop}/i/{path:path}", "/s/{shop}/{path}", b"/shops/c%20d/i/1", b"/s/c%20d/x",
         b"/shops/c%20d/i/x"),
        ("/shops/{shop}/i/{path:path}", "/s/{shop}/{path}", b"/shops/c/i/1", b"/s/d/x", b"/s/d/x"),
        ("/{path:path}", None, b"/a", b"/x", b"/x"),
        ("/status", "/", b"/status", b"/", b"/"),
        ("/items/{id}", "/{id}", b"/items/1", b"/2", b"/items/2"),
    ],
)  # fmt: skip
def test_the_templates_of_a_route_are_followed(
    path: str, target: str | None, raw_path: bytes, reference: bytes, sent: bytes
) -> None:
    assert rewrite(reference, path=path, target=target, raw_path=raw_path) == sent


@pytest.mark.parametrize(
    "reference",
    [b"http://items.internal:9105//evil.example/x", b"http://items.internal:9105///evil.example"],
)
def test_a_path_never_becomes_a_host(reference: bytes) -> None:
    sent = rewrite(reference, path="/{path:path}", raw_path=b"/1")
    assert sent is not None
    assert sent.startswith(b"/evil.example")


OWN = b"http://items.internal:9105"
CONTROLS = [bytes([code]) for code in (*range(0x20), 0x7F)]


@pytest.mark.parametrize("mark", [*CONTROLS, b"\\"])
@pytest.mark.parametrize(
    "before", [b"", b"http://items.internal:9105", b"HTTP://items.internal:9105"]
)
@pytest.mark.parametrize("path", ["/{path:path}", "/items/{path:path}"])
def test_a_reference_that_could_name_a_host_is_removed(
    path: str, before: bytes, mark: bytes
) -> None:
    raw_path = b"/items/1"
    for end in (b"/%b/evil.example", b"/%bevil.example", b"/a%b"):
        assert rewrite(before + end % mark, path=path, raw_path=raw_path) is None
    assert rewrite(b"https://other.example/a%bb" % mark, path=path, raw_path=raw_path) is not None


def test_the_host_of_the_caller_is_the_service_if_it_is_preserved() -> None:
    for reference in (b"http://api.example.com/2", b"https://API.example.com/2"):
        assert rewrite(reference, preserve_host=True) == b"/items/2"
        assert rewrite(reference) == reference


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        (b"refresh", b"0", b"0"),
        (b"refresh", b"0;/2", b"0;/items/2"),
        (b"refresh", b"5; URL='/2'", b"5; URL='/items/2'"),
        (b"refresh", b'5, url = "/2"', b'5, url = "/items/2"'),
        (b"refresh", b"5; url=https://evil.example/2", b"5; url=https://evil.example/2"),
        (
            b"link",
            b'</2>; rel="next", <http://items.internal:9105/3>; rel=last, <https://x/4>; rel=x',
            b'</items/2>; rel="next", </items/3>; rel=last, <https://x/4>; rel=x',
        ),
        (b"link", b"<2>; rel=next, <>; rel=self", b"<2>; rel=next, <>; rel=self"),
        (b"link", b"</2", b"</items/2"),
        (b"link", b"rel=next", b"rel=next"),
    ],
)
def test_references_in_refresh_and_link(name: bytes, value: bytes, sent: bytes) -> None:
    assert rewrite(value, name=name) == sent


@given(
    parts=st.lists(
        st.sampled_from(
            [b"/", b"//", b"\\", b"items.internal:9105", b"evil.example", b"http:", b"@", b"?",
             b"#", b"v1", b"..", b";", b"%2f", b"<", b">", b",", b"url=", b"'", b" ", b"\t", b"\r"]
        ),
        max_size=8,
    ),
    name=st.sampled_from([b"location", b"content-location", b"refresh", b"link"]),
)  # fmt: skip
def test_a_rewritten_reference_never_names_a_host(parts: list[bytes], name: bytes) -> None:
    value = b"".join(parts)
    sent = rewrite(value, name=name, path="/{path:path}", raw_path=b"/1")
    for mark in _BETWEEN.split(sent or b""):
        assert not _names_evil(mark) or mark in _BETWEEN.split(value)


_BETWEEN = re.compile(rb"[<>'\"]|;[ \t]*(?:url[ \t]*=[ \t]*)?")


def _names_evil(reference: bytes) -> bool:
    """Whether a browser would find another host (WHATWG URL, 4.4), for an `http` base."""
    text = re.sub(rb"[\t\r\n]", b"", reference).strip(bytes(range(0x21))).replace(b"\\", b"/")
    return (
        re.match(rb"(?:https?:)?/{2,}(?:[^/?#]*@)?evil\.example", text, re.IGNORECASE) is not None
    )
