"""The settings that a package declares for itself."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationInfo, create_model, field_validator
from pydantic_core import PydanticCustomError

from gateway.settings import AppSettings
from gateway.settings.app_settings import validate_app_settings
from gateway.settings.errors import InvalidSettings
from gateway.settings.loader import load_settings


class ShelfSettings(AppSettings):
    """Settings of a made-up package."""

    owner: str
    limit: int = 3


def find_errors(values: dict[str, object], kind: type[AppSettings] | None) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        validate_app_settings(kind, values)
    return list(map(str, caught.value.errors))


def test_values_are_validated() -> None:
    found = validate_app_settings(ShelfSettings, {"owner": 7, "limit": "4"})
    assert found == ShelfSettings(owner="7", limit=4)


def test_every_error_names_the_setting() -> None:
    assert find_errors({"limit": "many", "onwer": "x"}, ShelfSettings) == [
        "app.settings.owner: is required",
        "app.settings.limit: must be an integer",
        "app.settings.onwer: no such setting (did you mean owner?)",
    ]


def test_a_package_without_settings_refuses_values() -> None:
    assert validate_app_settings(None, {}) is None
    (error,) = find_errors({"limit": 1}, None)
    assert error.startswith("app.settings.limit: no such setting (the package declares no sett")


def test_variables_set_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__OWNER", "12")
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__LIMIT", "5")
    values = load_settings().app.settings
    assert validate_app_settings(ShelfSettings, values) == ShelfSettings(owner="12", limit=5)


class ListSettings(AppSettings):
    """Settings that a variable sets as JSON."""

    names: tuple[str, ...] = ()
    shelf: dict[str, int] = Field(default_factory=dict)
    text: str = ""


def test_a_list_or_a_table_in_a_variable_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__NAMES", '["a", "b"]')
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__SHELF", '{"x": 1}')
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__TEXT", "[1]")
    found = validate_app_settings(ListSettings, load_settings().app.settings)
    assert found == ListSettings(names=("a", "b"), shelf={"x": 1}, text="[1]")
    assert find_errors({"names": "[1"}, ListSettings) == ["app.settings.names: must be a list"]


def test_a_setting_inside_a_table_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__SHELF__X", "4")
    found = validate_app_settings(ListSettings, load_settings().app.settings)
    assert found == ListSettings(shelf={"x": 4})


class Color(StrEnum):
    """A text with few values."""

    RED = "{red}"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (str, "{x"),
        (str | None, '{"a": 1}'),
        (SecretStr, "[1]"),
        (SecretStr | None, "[1]"),
        (Annotated[str, Field(min_length=1)] | None, "{}"),
        (str | list[str], '["a"]'),
        (Any, "[1]"),
        (Color, "{red}"),
    ],
)
def test_a_variable_of_a_text_is_that_text(
    monkeypatch: pytest.MonkeyPatch, kind: Any, text: str
) -> None:
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__VALUE", text)
    model = create_model("TextSettings", __base__=AppSettings, value=kind)
    found: Any = validate_app_settings(model, load_settings().app.settings)
    value = found.value.get_secret_value() if isinstance(found.value, SecretStr) else found.value
    assert value == text
    assert type(value) in {str, Color}


class Database(BaseModel):
    """A table inside of the table."""

    hosts: list[str]
    password: str | None = None


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (list[str] | None, '["a"]', ["a"]),
        (Annotated[set[int] | int, "a note"], "[1]", {1}),
        (frozenset[str], '["a"]', frozenset("a")),
        (dict[str, Any], '{"a": "[1]"}', {"a": "[1]"}),
        (Database, '{"hosts": ["[1]"]}', Database(hosts=["[1]"])),
        (Database | None, '{"hosts": []}', Database(hosts=[])),
    ],
)
def test_a_variable_of_a_list_or_a_table_is_json(
    monkeypatch: pytest.MonkeyPatch, kind: Any, text: str, value: object
) -> None:
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__VALUE", text)
    model = create_model("JsonSettings", __base__=AppSettings, value=kind)
    found: Any = validate_app_settings(model, load_settings().app.settings)
    assert found.value == value


def test_a_list_inside_a_table_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__DATABASE__HOSTS", '["a"]')
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__DATABASE__PASSWORD", "[1]")
    model = create_model("TableSettings", __base__=AppSettings, database=Database)
    found: Any = validate_app_settings(model, load_settings().app.settings)
    assert found.database == Database(hosts=["a"], password="[1]")


def test_only_the_text_of_a_variable_is_decoded() -> None:
    assert find_errors({"names": '["a"]'}, ListSettings) == ["app.settings.names: must be a list"]


class Cat(BaseModel):
    """A model that its `kind` selects."""

    kind: Literal["cat"]


class Dog(BaseModel):
    """Another one."""

    kind: Literal["dog"]


class PetSettings(AppSettings):
    """Settings with a union, and with validators of the company."""

    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    port: int = 0
    shelf: str = "a"

    @field_validator("port")
    @classmethod
    def _check_port(cls, port: int, _: ValidationInfo) -> int:
        if port == 1:
            raise PydanticCustomError("conflict", "is the port of another program")
        if port == 2:
            raise PydanticCustomError("lockgate_conflict", "is taken by us")
        if port == 3:
            raise PydanticCustomError("greater_than", "is too small")
        return port

    @field_validator("shelf")
    @classmethod
    def _check_shelf(cls, shelf: str) -> str:
        return {"a": "a"}[shelf]


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"pet": {"kind": "s3cret"}}, "pet: is not a valid value (union_tag_invalid)"),
        ({"port": 1}, "port: is the port of another program"),
        ({"port": 2}, "port: is taken by us"),
        ({"port": 3}, "port: is not a valid value (greater_than)"),
    ],
)
def test_an_error_of_any_type_is_reported_without_the_value(
    values: dict[str, object], error: str
) -> None:
    assert find_errors(values, PetSettings) == [f"app.settings.{error}"]


def test_a_validator_that_raises_another_error_is_reported() -> None:
    (error,) = find_errors({"shelf": "b"}, PetSettings)
    assert error == "app.settings: cannot be validated: KeyError: 'b'"
