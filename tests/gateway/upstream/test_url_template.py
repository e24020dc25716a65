"""A value in a path never leaves its segment."""

from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.upstream.errors import InvalidArgument
from gateway.upstream.url_template import expand


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_value_is_one_segment_or_refused(value: str) -> None:
    if value in {"", ".", ".."}:
        with pytest.raises(InvalidArgument, match=r"^user_id: a segment of a path must not be"):
            expand("/users/{user_id}/orders", {"user_id": value})
        return
    path = expand("/users/{user_id}/orders", {"user_id": value})
    _, users, segment, orders = path.split("/")
    assert (users, unquote(segment), orders) == ("users", value, "orders")
    assert not set(path) & set("?#\\ \r\n")
    assert path.isascii()


@pytest.mark.parametrize(
    ("template", "values", "path"),
    [
        ("/", {}, "/"),
        ("/users/{id}", {"id": 7}, "/users/7"),
        ("/a/{x}.{y}", {"x": "b/c", "y": "d"}, "/a/b%2Fc.d"),
        ("/a/{x}", {"x": "%2e%2e"}, "/a/%252e%252e"),
        ("/a/{x}", {"x": "{x}"}, "/a/%7Bx%7D"),
    ],
)
def test_paths(template: str, values: dict[str, str | int], path: str) -> None:
    assert expand(template, values) == path


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("users", {}),
        ("", {}),
        ("//evil.test/x", {}),
        ("/a//b", {}),
        ("/a/../b", {}),
        ("/a/./b", {}),
        ("/a?x=1", {}),
        ("/a#b", {}),
        ("/a b", {}),
        ("/a\r\nX: y", {}),
        ("/a/{x}", {}),
        ("/a/{x}", {"y": 1}),
        ("/a/{x}", {"x": 1, "y": 1}),
        ("/a/{x", {}),
        ("/a/../{x}", {"x": 1}),
    ],
)
def test_a_mistake_in_the_template_is_no_invalid_argument(
    template: str, values: dict[str, str | int]
) -> None:
    with pytest.raises(ValueError, match=r"path|value|segment") as caught:
        expand(template, values)
    assert not isinstance(caught.value, InvalidArgument)


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("/a/{x}", {"x": ""}),
        ("/a/{x}", {"x": "."}),
        ("/a/.{x}", {"x": "."}),
        ("/{y}/b/{x}", {"x": "..", "y": "a"}),
        ("/a/{x}", {"x": "\ud800"}),
    ],
)
def test_an_invalid_value_is_named(template: str, values: dict[str, str | int]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        expand(template, values)
    assert caught.value.name == "x"
