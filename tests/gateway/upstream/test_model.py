"""`ResponseModel` makes strict, frozen pydantic dataclasses, also of subclasses and generics."""

from dataclasses import FrozenInstanceError, asdict
from typing import Annotated, Generic, TypeVar

import pytest
from pydantic import Field, TypeAdapter
from pydantic_core import from_json, to_json

from gateway.upstream.content_decoding import NotDecodable
from gateway.upstream.decoding import decode
from gateway.upstream.model import ResponseModel
from tests.gateway.upstream.responses import json_response

T = TypeVar("T")


class Shelf(ResponseModel):
    name: str
    height: Annotated[float, Field(gt=0)]
    labels: list[str] = Field(default_factory=list)


class Fridge(Shelf):
    """One that cools."""

    degrees: float = 4.0


class Page(ResponseModel, Generic[T]):
    items: list[T]
    next: str | None = None


def read(into: type[T], value: object) -> T:
    return decode(into, json_response(to_json(value)))


def test_a_subclass_inherits_fields_and_strictness() -> None:
    fridge = read(Fridge, {"name": "A", "height": 2.5, "degrees": 3.0, "surplus": 1})
    assert asdict(fridge) == {"name": "A", "height": 2.5, "labels": [], "degrees": 3.0}
    assert fridge == Fridge(name="A", height=2.5, degrees=3.0)
    with pytest.raises(NotDecodable, match="height greater_than"):
        read(Fridge, {"name": "A", "height": -1.0})
    with pytest.raises(NotDecodable, match="degrees float_type"):
        read(Fridge, {"name": "A", "height": 1.0, "degrees": "3"})
    with pytest.raises(FrozenInstanceError):
        fridge.degrees = 5.0  # type: ignore[misc]


def test_defaults_are_not_shared() -> None:
    one, other = (read(Shelf, {"name": "A", "height": 1.0}) for _ in range(2))
    one.labels.append("x")
    assert other.labels == []


def test_a_model_can_be_generic() -> None:
    page = read(Page[Shelf], {"items": [{"name": "A", "height": 1.0}]})
    assert page.items == [Shelf(name="A", height=1.0)]
    with pytest.raises(NotDecodable, match="1 wrong"):
        read(Page[Shelf], {"items": [{"name": "A"}, {"name": "B"}]})


def test_its_schema_has_its_own_description() -> None:
    schemas = [TypeAdapter(kind).json_schema() for kind in (Shelf, Fridge)]
    assert [schema.get("description") for schema in schemas] == [None, "One that cools."]
    assert [schema["title"] for schema in schemas] == ["Shelf", "Fridge"]


class Line(ResponseModel, camel_case=True):
    unit_price: float
    in_stock: bool = True
    full_name: str = Field(default="none", validation_alias="fullNAME")


class Order(Line):
    order_lines: list[Line] = Field(default_factory=list)


class Plain(Line, camel_case=False):
    sku_number: int = 0


def test_camel_case_is_read_and_python_names_are_sent() -> None:
    body = {"unitPrice": 1.5, "inStock": False, "fullNAME": "F", "orderLines": [{"unitPrice": 2.0}]}
    order = read(Order, body)
    assert order == Order(
        unit_price=1.5, in_stock=False, full_name="F", order_lines=[Line(unit_price=2.0)]
    )
    line = {"unit_price": 2.0, "in_stock": True, "full_name": "none"}
    sent = {"unit_price": 1.5, "in_stock": False, "full_name": "F", "order_lines": [line]}
    assert from_json(TypeAdapter(Order).dump_json(order, by_alias=True)) == sent
    assert set(TypeAdapter(Order).json_schema(mode="serialization")["properties"]) == set(sent)


def test_an_alias_that_is_declared_for_both_is_sent() -> None:
    class Both(ResponseModel, camel_case=True):
        user_id: int = Field(alias="userID")

    assert TypeAdapter(Both).dump_json(read(Both, {"userID": 1}), by_alias=True) == b'{"userID":1}'


def test_camel_case_is_inherited_until_it_is_switched_off() -> None:
    assert read(Plain, {"unit_price": 1.0, "sku_number": 2}).sku_number == 2
    with pytest.raises(NotDecodable, match="sku_number int_type"):
        read(Plain, {"unit_price": 1.0, "sku_number": "2"})
    assert read(Plain, {"unit_price": 1.0, "skuNumber": 2}).sku_number == 0


def test_an_error_names_the_field_as_the_service_does() -> None:
    with pytest.raises(NotDecodable, match="1 wrong: unitPrice float_type"):
        read(Line, {"unitPrice": "1.5"})
    with pytest.raises(NotDecodable, match=r"orderLines\[1\]\.unitPrice missing"):
        read(Order, {"unitPrice": 1.0, "orderLines": [{"unitPrice": 1.0}, {}]})
