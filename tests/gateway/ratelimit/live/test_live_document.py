"""Live documents: one canonical form, and every mistake with the path of its field."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ratelimit.bounds import MAX_OVERRIDES
from gateway.ratelimit.live.change_errors import InvalidDocument
from gateway.ratelimit.live.live_document import LiveDocument

USER = "user:#9f2c5d"

FULL = {
    "rate": "120/minute,10/second",
    "burst": 20,
    "shadow": False,
    "tiers": {"pro": "600/60seconds", "free": "60/minute"},
    "prefetch": 0,
    "until": "2030-05-31T20:00:00+02:00",
    "overrides": {
        USER: {"kind": "times", "times": 5, "until": "2030-06-01T00:00:00Z", "reason": "launch"},
        "address:192.0.2.7": {"kind": "block"},
        "tenant:a1": {"kind": "allow", "caller": "acme", "reason": "contract"},
        "service:b2": {"kind": "rate", "rate": "9 / second"},
    },
}


def find_errors(document: object) -> dict[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        LiveDocument.parse(document)
    return {
        it.path: it.message + (f" ({it.hint})" if it.hint else "") for it in caught.value.errors
    }


def test_a_document_has_one_form() -> None:
    document = LiveDocument.parse(FULL)
    assert document.rate == "10/second, 120/minute"
    assert document.tiers == {"pro": "600/minute", "free": "60/minute"}
    assert document.until == "2030-05-31T18:00:00Z"
    text = document.to_text()
    assert LiveDocument.read(text) == document
    assert LiveDocument.read(text).to_text() == text
    shuffled = dict(reversed(json.loads(text).items()))
    assert LiveDocument.parse(shuffled).to_text() == text
    assert " " not in text.replace(", ", "")


def test_an_absent_field_is_null_and_not_in_the_form() -> None:
    assert LiveDocument.parse({"rate": None, "overrides": {}}).to_text() == "{}"
    assert LiveDocument.parse({}).is_empty
    assert LiveDocument.parse({"shadow": False}).to_text() == '{"shadow":false}'


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({"rate": "fast"}, "rate", "'fast' is not a rate; write a count, a slash and a unit"),
    ({"rate": 5}, "rate", "must be a string (got 5)"),
    ({"rate": "9/second," * 50}, "rate", "must have at most 200 characters"),
    ({"burst": -1}, "burst", "must be at least 0 (got -1)"),
    ({"burst": True}, "burst", "must be an integer (got True)"),
    ({"limit": 0}, "limit", "must be at least 1 (got 0)"),
    ({"shadow": "no"}, "shadow", "must be true or false (got 'no')"),
    ({"shaddow": True}, "shaddow", "no such field (did you mean shadow?)"),
    ({"tiers": {"free": "x"}}, "tiers.free", "'x' is not a rate"),
    ({"tiers": {"free": 0}}, "tiers.free", "must be a rate such as 60/minute, or a number"),
    ({"tiers": []}, "tiers", "must be a table"),
    ({"rate": "1/day", "until": "Friday"}, "until", "must be a time with its offset (RFC 3339)"),
    ({"rate": "1/day", "until": "2030-01-01T00:00:00"}, "until", "must be a time with its offset"),
    ({"rate": "1/day", "until": "0001-01-01T00:00:00+02:00"}, "until", "must be a time with its"),
    ({"until": "2030-01-01T00:00:00Z"}, "until", "ends the values of the document, and it has"),
    ({"overrides": {"jane": {"kind": "block"}}}, "overrides.jane", "must be the key of a caller"),
    ({"overrides": {"user:{": {"kind": "block"}}}, 'overrides."user:{"', "must be the key of a"),
    ({"overrides": {USER: {}}}, f'overrides."{USER}".kind', "is required"),
    ({"overrides": {USER: {"kind": "ban"}}}, f'overrides."{USER}".kind', "must be 'rate', 'times'"),
    ({"overrides": {USER: {"kind": "rate"}}}, f'overrides."{USER}".rate', "the kind rate needs"),
    (
        {"overrides": {USER: {"kind": "block", "rate": "1/day"}}},
        f'overrides."{USER}".rate',
        "is not for the kind block",
    ),
    (
        {"overrides": {USER: {"kind": "times", "times": float("inf")}}},
        f'overrides."{USER}".times',
        "must be a finite number",
    ),
    (
        {"overrides": {USER: {"kind": "block", "untill": "x"}}},
        f'overrides."{USER}".untill',
        "no such field (did you mean until?)",
    ),
]


@pytest.mark.parametrize(("document", "path", "message"), MISTAKES)
def test_a_mistake_has_the_path_of_its_field(
    document: dict[str, Any], path: str, message: str
) -> None:
    errors = find_errors(document)
    assert list(errors) == [path]
    assert errors[path].startswith(message)


def test_all_mistakes_are_reported_at_once() -> None:
    document = {"rate": "x", "burst": "y", "tiers": {"a": "z"}, "overrides": {USER: {"kind": "q"}}}
    paths = ["rate", "burst", "tiers.a", f'overrides."{USER}".kind']
    assert list(find_errors(document)) == paths


@pytest.mark.parametrize("value", [None, [], "rate", 7])
def test_a_document_is_an_object(value: object) -> None:
    assert find_errors(value) == {"document": "must be a JSON object"}


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_a_text_that_is_no_json(text: str) -> None:
    with pytest.raises(InvalidDocument, match="document: is no JSON"):
        LiveDocument.read(text)


def test_a_document_is_bounded() -> None:
    many = {f"user:{number}": {"kind": "block"} for number in range(MAX_OVERRIDES + 1)}
    assert list(find_errors({"overrides": many})) == ["overrides"]
    reason = {"kind": "block", "reason": "r" * 1_000}
    large = {f"user:{number}": reason for number in range(MAX_OVERRIDES)}
    [message] = find_errors({"overrides": large}).values()
    assert message.endswith("use fewer overrides, or shorter reasons")
    wrong = {f"user:{number}": {"kind": "x"} for number in range(MAX_OVERRIDES)}
    with pytest.raises(InvalidDocument) as caught:
        LiveDocument.parse({"overrides": wrong})
    assert len(caught.value.errors) == 50


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from([*LiveDocument.model_fields, "other"]), JSON, max_size=4))
def test_whatever_is_sent_is_a_document_or_a_list_of_mistakes(value: dict[str, Any]) -> None:
    try:
        text = LiveDocument.parse(value).to_text()
    except InvalidDocument as invalid:
        errors = invalid.errors
    else:
        assert LiveDocument.read(text).to_text() == text
        return
    assert errors
    assert all(error.path and error.message for error in errors)
