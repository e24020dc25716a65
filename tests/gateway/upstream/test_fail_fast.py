"""Of a body made of mistakes, only the first few are looked at."""

import tracemalloc

import pytest
from pydantic import Field

from gateway.upstream.decoding import NotDecodable, decode
from gateway.upstream.model import ResponseModel
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
def test_a_list_of_mistakes_costs_as_much_as_one(begin: str, wrong: str, end: str) -> None:
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


def test_a_default_that_looks_like_a_schema_stays_itself() -> None:
    class Odd(ResponseModel):
        kind: dict[str, str] = Field({"type": "list"})

    assert decode(Odd, json_response(b"{}")).kind == {"type": "list"}
