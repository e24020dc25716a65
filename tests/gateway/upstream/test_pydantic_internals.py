"""Validation of a body with many errors stops after the first few."""

import tracemalloc

import pytest
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from gateway.upstream.content_decoding import NotDecodable
from gateway.upstream.decoding import decode
from gateway.upstream.model import ResponseModel
from gateway.upstream.pydantic_internals import with_fail_fast
from tests.gateway.upstream.responses import json_response

MANY = 20_000


class Line(ResponseModel):
    sku: str
    price: float


class Sale(ResponseModel):
    default: list[Line] = Field([])
    type: tuple[Line, ...] = ()
    names: set[str] | None = None
    by_shelf: dict[str, list[Line]] = Field({})


@pytest.mark.parametrize(
    ("begin", "wrong", "end"),
    [
        ("[", "{}", "]"),
        ('[{"default":[', "{}", "]}]"),
        ('[{"type":[', "{}", "]}]"),
        ('[{"names":[', "1", "]}]"),
        ('[{"by_shelf":{"a":[', "{}", "]}}]"),
        ('[{"default":[{"sku":"A","price":1.0}]},{"default":[', "{}", "]}]"),
    ],
)
def test_a_list_of_errors_costs_as_much_as_one(begin: str, wrong: str, end: str) -> None:
    into = list[Line] if begin == "[" else list[Sale]
    with pytest.raises(NotDecodable) as one:
        decode(into, json_response(f"{begin}{wrong}{end}".encode()))
    body = f"{begin}{','.join([wrong] * MANY)}{end}".encode()
    tracemalloc.start()
    with pytest.raises(NotDecodable) as many:
        decode(into, json_response(body))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(many.value) == str(one.value)
    assert peak < len(body)


def test_a_default_that_looks_like_a_schema_is_unchanged() -> None:
    class Odd(ResponseModel):
        kind: dict[str, str] = Field({"type": "list"})

    assert decode(Odd, json_response(b"{}")).kind == {"type": "list"}


@pytest.mark.parametrize(
    ("into", "kind"),
    [
        (list[int], "list"),
        (set[int], "set"),
        (frozenset[int], "frozenset"),
        (tuple[int, ...], "tuple"),
    ],
)
def test_a_core_schema_names_its_series_and_knows_fail_fast(into: type, kind: str) -> None:
    # If pydantic renames one of these, wrong items are all collected: rewrite `with_fail_fast`.
    schema = TypeAdapter(into).core_schema
    assert isinstance(schema, dict)
    assert schema["type"] == kind
    stopping = SchemaValidator(with_fail_fast(schema))
    with pytest.raises(ValidationError) as caught:
        stopping.validate_python(into(["a", "b"]))
    assert caught.value.error_count() == 1


@pytest.mark.parametrize("key", ["default", "metadata", "serialization"])
def test_values_that_are_no_schemas_are_unchanged(key: str) -> None:
    value = {"type": "list"}
    assert with_fail_fast({"type": "int", key: value}) == {"type": "int", key: value}
