"""Strict base64url: one text per byte string."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.auth.jwt import base64url


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_it_decodes_what_was_encoded(data: bytes) -> None:
    text = urlsafe_b64encode(data).decode().rstrip("=")
    assert base64url.encode(data) == text
    assert base64url.decode(text) == data


@settings(max_examples=200, deadline=None)
@given(st.text("AQgw_-B9zZ=+/ \n.é", max_size=9))
def test_no_other_text_decodes_to_the_same_bytes(text: str) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert urlsafe_b64encode(data).decode().rstrip("=") == text


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "AA==", "AA\n", "A A", "+A", "/A", "é"])
def test_texts_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="canonical"):
        base64url.decode(text)
