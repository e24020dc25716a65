"""The settings that a package declares for itself."""

import pytest
from pydantic import Field

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
