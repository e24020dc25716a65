"""Two spellings of one URL are equal, and no other URL equals it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dpop.target_uri import PublicUrl, normalize_uri
from gateway.request_context import PUBLIC_PATH

EQUAL: Sequence[Sequence[str]] = [
    (
        "https://api.test/a",
        "HTTPS://API.test/a",
        "https://api.test:443/a",
        "https://api.test:/a",
        "https://api.test:0443/a",
        "https://api.test/a?b=c",
        "https://api.test/a#b?c",
        "https://api.test/./a",
        "https://api.test/x/../a",
        "https://api.test/../a",
        "https://api.test/%61",
        "https://api.test/x/%2e%2E/a",
    ),
    ("https://api.test", "https://api.test/", "https://api.test?a", "https://api.test#a"),
    ("https://api.test/a/", "https://api.test/a/b/..", "https://api.test/a/."),
    ("https://api.test/A",),
    ("https://api.test/a%2Fb", "https://api.test/a%2fb"),
    ("https://api.test/a/b",),
    ("https://api.test/a%20b",),
    ("https://api.test/a%2520b",),
    ("https://api.test/a+b",),
    ("https://api.test//a",),
    ("https://api.test/~a", "https://api.test/%7Ea"),
    ("https://api.test:8443/a",),
    ("http://api.test/a", "http://api.test:80/a"),
    ("http://api.test:443/a",),
    ("https://[::1]:8443/a", "https://[::1]:8443/a?b"),
    ("https://api.test./a",),
    ("https://www.api.test/a",),
]


def test_equal_urls_have_one_normal_form_and_others_another() -> None:
    forms = [{normalize_uri(uri) for uri in uris} for uris in EQUAL]
    assert [len(form) for form in forms] == [1] * len(EQUAL)
    assert len(set[str]().union(*forms)) == len(EQUAL)


@pytest.mark.parametrize(
    "text",
    ["", "/a", "api.test/a", "//api.test/a", "ftp://api.test/a", "wss://api.test/a", "https://",
     "https:///a", "https:/api.test/a", "https://u@api.test/a", "https://u:p@api.test/a",
     "https://api.test:x/a", "https://api.test:123456/a", "https://api.test\\a",
     "https://api.test/a b", "https://api.test/a\n", " https://api.test/a",
     "https://api.test/a%", "https://api.test/a%4", "https://api.test/%zz",
     "https://äpi.test/a", "https://api.test/ä", "https://api%2Etest/a"],
)  # fmt: skip
def test_what_is_not_the_url_of_a_resource(text: str) -> None:
    with pytest.raises(ValueError, match="it "):
        normalize_uri(text)


@given(st.text("abZ%2eEF/.~-?#:@é \\", max_size=20))
def test_a_normal_form_is_its_own_normal_form(path: str) -> None:
    try:
        normal = normalize_uri(f"https://api.test/{path}")
    except ValueError:
        return
    assert normalize_uri(normal) == normal
    assert normal.startswith("https://api.test:443/")
    assert "?" not in normal
    assert "/./" not in normal
    assert "/../" not in normal


API = "https://api.test:443"


@pytest.mark.parametrize(
    ("url", "scope", "uri"),
    [
        ("https://Api.test", {"raw_path": b"/a%7e"}, f"{API}/a~"),
        ("https://api.test/gw", {"raw_path": b"/a"}, f"{API}/gw/a"),
        ("https://api.test/gw", {"raw_path": b"/gw/a", "root_path": "/gw"}, f"{API}/gw/a"),
        ("https://api.test/x/gw", {"raw_path": b"/gw/a", "root_path": "/gw"}, f"{API}/x/gw/a"),
        ("http://[::1]:8080", {"raw_path": b"/"}, "http://[::1]:8080/"),
        ("https://bücher.test", {"raw_path": b"/a"}, "https://xn--bcher-kva.test:443/a"),
        ("https://api.test", {"raw_path": b"/\xc3\xa9"}, f"{API}/%C3%A9"),
        ("https://api.test", {"path": "/a"}, f"{API}/a"),
        ("https://api.test/gw", {"raw_path": b"/a", PUBLIC_PATH: b"/api/a"}, f"{API}/api/a"),
    ],
)
def test_the_url_of_a_request(url: str, scope: dict[str, object], uri: str) -> None:
    assert PublicUrl.parse(url).build_target_uri(scope) == uri
