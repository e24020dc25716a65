"""`ResponseModel` makes strict, frozen pydantic dataclasses, also of subclasses and generics."""

from dataclasses import FrozenInstanceError, asdict
from typing import Annotated, Generic, TypeVar

import pytest
from pydantic import Field, TypeAdapter
from pydantic_core import to_json

from gateway.upstream.decoding import NotDecodable, decode
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
