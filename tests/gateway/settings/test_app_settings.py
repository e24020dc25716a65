"""The settings that a package declares for itself."""

import pytest

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


def test_every_error_names_the_setting_and_its_variable() -> None:
    assert find_errors({"limit": "many", "onwer": "x"}, ShelfSettings) == [
        "app.settings.owner [LOCKGATE_APP__SETTINGS__OWNER]: Field required",
        (
            "app.settings.limit [LOCKGATE_APP__SETTINGS__LIMIT]: Input should be a valid integer, "
            "unable to parse string as an integer"
        ),
        "app.settings.onwer [LOCKGATE_APP__SETTINGS__ONWER]: no such setting (did you mean owner?)",
    ]


def test_a_package_without_settings_refuses_values() -> None:
    assert validate_app_settings(None, {}) is None
    (error,) = find_errors({"limit": 1}, None)
    assert "the package declares no settings" in error


def test_variables_set_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__OWNER", "12")
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__LIMIT", "5")
    values = load_settings().app.settings
    assert validate_app_settings(ShelfSettings, values) == ShelfSettings(owner="12", limit=5)
