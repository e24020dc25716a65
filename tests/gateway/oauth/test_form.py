"""The form of a request is read in one way only, or refused."""

from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.oauth.form import MAX_PARAMETERS, Form, decode_form_text, parse_form
from gateway.oauth.oauth_errors import InvalidRequest

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=6)


@given(PAIRS, st.booleans())
def test_what_a_client_encodes_is_decoded(pairs: list[tuple[str, str]], is_plus: bool) -> None:
    names = [name for name, _ in pairs]
    body = (urlencode(pairs) if is_plus else urlencode(pairs, quote_via=quote)).encode()
    if len(set(names)) < len(names):
        with pytest.raises(InvalidRequest):
            parse_form(body, repeatable=())
    else:
        form = parse_form(body, repeatable=())
        assert {name: form.get(name) for name in names} == {n: v or None for n, v in pairs}


@given(st.binary(max_size=40) | st.text("a=&%+2b0é;\x00 ", max_size=20).map(str.encode))
def test_any_body_is_read_as_others_read_it_or_refused(body: bytes) -> None:
    form = None
    with suppress(InvalidRequest):
        form = parse_form(body, repeatable=())
    if form is not None:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
        assert {name: form.get(name) or "" for name, _ in pairs} == dict(pairs)


@pytest.mark.parametrize(
    "body",
    [
        b"a=%", b"a=%4", b"a=%zz", b"a=%u0041", b"a=%ff", b"a=%C0%80", b"a=%ED%A0%80",
        b"a=\xc3\xa9", b"a=b c", b"a=b\tc", b"a=b\r\n", b"a=\x00", b"%ff=a",
        b"a=1&a=2", b"a=1&%61=1", b"a=&a=", b"a&a",
        b"&".join(b"p%d=1" % number for number in range(MAX_PARAMETERS + 1)),
    ],
)  # fmt: skip
def test_an_ambiguous_body_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_form(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", []),
        (b"a=1&&b=2&", ["1"]),
        (b"a=1=2", ["1=2"]),
        (b"a=1;b=2", ["1;b=2"]),
        (b"a=urn:x/y?z", ["urn:x/y?z"]),
        (b"a=x+y%20z%2B", ["x y z+"]),
        (b"a=", []),
        (b"a", []),
    ],
)
def test_a_body_is_read(body: bytes, expected: Sequence[str]) -> None:
    form = parse_form(body)
    assert [*form.get_all("a")] == expected
    assert form.get("a") == (expected[0] if expected else None)


def test_some_parameters_may_be_sent_again() -> None:
    form = parse_form(b"audience=a&resource=r&audience=b")
    assert form.get_all("audience") == ["a", "b"]
    assert form.get_all("other") == ()


def test_a_parameter_may_be_required() -> None:
    with pytest.raises(InvalidRequest, match="The parameter b is missing"):
        Form({"a": ["1"]}).require("b")


def test_values_are_not_shown() -> None:
    assert repr(parse_form(b"b=hunter2&a=hunter2")) == "<Form a, b>"


def test_a_part_of_basic_is_decoded_as_a_form_is() -> None:
    assert decode_form_text(b"a%3Ab+c") == "a:b c"
