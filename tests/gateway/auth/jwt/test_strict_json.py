"""Strict JSON: equal to `json` for every unambiguous document; ambiguous ones are refused."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.auth.jwt import strict_json

TEXT = st.text('aé"\\/[]{}\u2028\U0001f600', max_size=3)
SCALAR = (
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | TEXT
    | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(TEXT, VALUE, max_size=3), st.booleans())
def test_it_parses_what_json_dumps(members: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(members, ensure_ascii=ascii_only)
    assert strict_json.parse_object(text.encode()) == members


def _measure_depth(value: object) -> int:
    """Measure the depth of the parsed value, as the reference."""
    if isinstance(value, dict):
        return 1 + max(map(_measure_depth, value.values()), default=0)
    return 1 + max(map(_measure_depth, value), default=0) if isinstance(value, list) else 0


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(TEXT, VALUE, max_size=3), st.integers(1, 5))
@example({'"[[[[': "]]]]\\"}, 1)
def test_depth_is_measured_exactly(members: dict[str, Any], limit: int) -> None:
    text = json.dumps(members).encode()
    if _measure_depth(members) <= limit:
        assert strict_json.parse_object(text, max_depth=limit) == members
    else:
        with pytest.raises(ValueError, match="too deep"):
            strict_json.parse_object(text, max_depth=limit)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40) | st.text('{}[]":,\\u0dD8e1-+.NaItrue \n', max_size=40))
def test_any_input_is_parsed_or_refused(raw: bytes | str) -> None:
    try:
        value = strict_json.parse_object(raw if isinstance(raw, bytes) else raw.encode())
    except ValueError:
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}', '{"a":{"b":1,"b":2}}', '{"a":1,"\\u0061":1}', '{"a":NaN}',
        '{"a":Infinity}', '{"a":-Infinity}', '{"a":1e400}', '{"a":-1e999}',
        '{"a":123456789012345678901}', '{"a":"\\ud800"}', '{"a":"\\uDC00\\uD800"}', '{"\\udfff":1}',
        "[]", "1", "null", "", " ", "{", "{}{}", '{"a":1,}', '{"a" 1}', "{'a':1}", '{"a":01}',
        '{"a":.5}', '{"a":0x1}', '{"a":"\t"}', "\ufeff{}",
    ],
)  # fmt: skip
def test_texts_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - callers use only the type
        strict_json.parse_object(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("text", ['{"a":"\\ud83d\\ude00"}', '{"a":"\\\\ud800"}', '{"a":1e308}'])
def test_texts_that_only_look_ambiguous(text: str) -> None:
    assert strict_json.parse_object(text.encode()) == json.loads(text)


@pytest.mark.parametrize("unit", [b"[", b'{"a":', b'"\\"', b"]", b"[]", b'"[', b"\\"])
def test_large_invalid_input_is_refused_in_linear_time(unit: bytes) -> None:
    raw = b'{"a":' + b"[" * 40 + unit * 100_000
    started = time.process_time()
    with pytest.raises(ValueError):  # noqa: PT011 - callers use only the type
        strict_json.parse_object(raw)
    assert time.process_time() - started < 5  # quadratic time would be minutes


def test_numbers_keep_their_type() -> None:
    read = strict_json.parse_object(b'{"i":1,"f":1.0,"e":1e3,"t":true}')
    assert [type(value) for value in read.values()] == [int, float, float, bool]
