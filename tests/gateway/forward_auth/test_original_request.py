"""The request that the header fields name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.forward_auth.original_request import (
    InvalidOriginalRequest,
    OriginalRequest,
    read_original_request,
)

NAMES = [
    b"x-original-method", b"x-original-uri", b"x-original-url", b"x-forwarded-method",
    b"x-forwarded-uri", b"x-other",
]  # fmt: skip
VALUES = [b"GET", b"POST", b"/a", b"/b", b"/a?x", b"https://h/a", b"https://h/b", b"get", b""]


def test_path_and_query_are_kept_byte_for_byte() -> None:
    fields = [(b"x-original-method", b"PATCH"), (b"x-original-uri", b"/%7e/a%20b?q=%2B+&&x")]
    expected = OriginalRequest("PATCH", b"/%7e/a%20b", b"q=%2B+&&x")
    assert read_original_request(fields) == expected


def test_the_error_names_what_is_missing() -> None:
    with pytest.raises(InvalidOriginalRequest, match="X-Original-Method is missing"):
        read_original_request([(b"x-original-uri", b"/a")])
    with pytest.raises(InvalidOriginalRequest, match="neither X-Original-Method with"):
        read_original_request([])


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=6),
    st.sampled_from([None, OriginalRequest("GET", b"/a", b"")]),
)
def test_no_field_disagrees_with_the_request_that_is_found(
    fields: list[tuple[bytes, bytes]], appended: OriginalRequest | None
) -> None:
    try:
        found = read_original_request(fields, appended)
    except InvalidOriginalRequest:
        return
    assert appended in {None, found}
    known = [field for field in fields if field[0] != b"x-other"]
    assert len({name for name, _ in known}) == len(known)
    target = found.path + (b"?" + found.query if found.query else b"")
    for name, value in known:
        is_method = name.endswith(b"method")
        assert value.removeprefix(b"https://h") == (found.method.encode() if is_method else target)
