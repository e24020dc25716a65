"""Which requests a pattern matches, also against a plain reference."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.testing.received_request import ReceivedRequest, RequestPattern
from gateway.upstream.query import encode_query
from gateway.upstream.url_template import expand


def receive(method: str, target: str, content: bytes = b"", **headers: str) -> ReceivedRequest:
    url = httpx.URL("http://service.test" + target)
    path = url.raw_path.decode().partition("?")[0]
    return ReceivedRequest(method, url, path, httpx.Headers(headers), content)


@pytest.mark.parametrize(
    ("pattern", "target", "expected"),
    [
        ("/orders", "/orders", True),
        ("/orders", "/orders?page=2", True),
        ("/orders", "/orders/", False),
        ("/orders", "/orders/7", False),
        ("/orders/{id}", "/orders/7", True),
        ("/orders/{id}", "/orders/a%2Fb", True),
        ("/orders/{id}", "/orders/a%0Ab", True),
        ("/orders/{id}", "/orders/", False),
        ("/orders/{id}", "/orders/7/lines", False),
        ("/orders/{id}.json", "/orders/7.json", True),
        ("/orders/{id}.json", "/orders/7xjson", False),
        ("/orders/{id}/lines/{line}", "/orders/7/lines/1", True),
        ("/", "/", True),
        ("/a b", "/a%20b", True),
    ],
)
def test_a_placeholder_matches_one_segment(pattern: str, target: str, expected: bool) -> None:
    assert RequestPattern("GET", pattern).matches(receive("GET", target)) is expected
    assert not RequestPattern("POST", pattern).matches(receive("GET", target))


@pytest.mark.parametrize("path", ["orders", "/orders?page=2", ""])
def test_a_path_that_is_not_one_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path; write one such as"):
        RequestPattern("GET", path)


def test_headers_and_bodies_are_compared() -> None:
    pattern = RequestPattern("POST", "/", headers={"X-Key": "k"}, json={"sku": "A"})
    assert pattern.matches(receive("POST", "/", b'{ "sku":"A" }', **{"x-key": "k", "other": "o"}))
    assert not pattern.matches(receive("POST", "/", b'{"sku":"A"}', **{"x-key": "K"}))
    assert not pattern.matches(receive("POST", "/", b'{"sku":"A","n":1}', **{"x-key": "k"}))
    assert not pattern.matches(receive("POST", "/", b"not JSON", **{"x-key": "k"}))
    assert RequestPattern("POST", "/", json=None).matches(receive("POST", "/", b"null"))
    assert not RequestPattern("POST", "/", json=None).matches(receive("POST", "/"))


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
PARAMS = st.dictionaries(
    st.sampled_from(["a", "b", "sku"]), VALUES | st.lists(VALUES, min_size=1, max_size=3)
)


@given(sent=PARAMS, expected=PARAMS)
def test_params_match_what_a_client_sends_for_them(
    sent: dict[str, object], expected: dict[str, object]
) -> None:
    """The reference compares the encoded queries, parameter by parameter."""
    request = receive("GET", "/" + encode_query(sent))  # type: ignore[arg-type]
    matches = all(
        encode_query({name: sent.get(name)}) == encode_query({name: value})  # type: ignore[dict-item]
        for name, value in expected.items()
    )
    assert RequestPattern("GET", "/", expected).matches(request) is matches  # type: ignore[arg-type]
    assert RequestPattern("GET", "/", sent).matches(request)  # type: ignore[arg-type]


@given(value=st.text(min_size=1).filter(lambda text: text not in {".", ".."}))
def test_every_path_that_a_client_expands_matches_its_template(value: str) -> None:
    try:
        path = expand("/orders/{id}/lines", {"id": value})
    except UnicodeEncodeError:
        return  # a lone surrogate has no encoding
    assert RequestPattern("GET", "/orders/{id}/lines").matches(receive("GET", path))
