"""Lone surrogates in JSON values, and the errors about them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticSerializationError, to_json

from gateway.upstream.lone_surrogates import has_lone_surrogate, is_lone_surrogate_error

TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("\ud800\udfff"), max_size=3)
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@given(value=VALUES)
def test_a_value_with_a_lone_surrogate_has_no_utf_8(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        assert has_lone_surrogate(value)
    else:
        assert not has_lone_surrogate(value)


def test_a_deep_value() -> None:
    value: object = "\ud800"
    for _ in range(100_000):
        value = [value]
    assert has_lone_surrogate(value)


def test_the_errors_of_python_and_pydantic() -> None:
    with pytest.raises(UnicodeEncodeError) as of_python:
        "\ud800".encode()
    with pytest.raises(PydanticSerializationError) as of_pydantic:
        to_json({"a": "\ud800"})
    with pytest.raises(UnicodeEncodeError) as other:
        "\u2603".encode("latin-1")
    found = [is_lone_surrogate_error(it.value) for it in (of_python, of_pydantic, other)]
    assert found == [True, True, False]
