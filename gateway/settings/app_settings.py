"""The settings that a company's package declares for itself, in the table `[app.settings]`."""

import json
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from gateway.settings.error_messages import describe_error
from gateway.settings.errors import ConfigError, InvalidSettings, suggest_nearest
from gateway.settings.setting_path import format_path


class AppSettings(BaseModel):
    """Base class of the settings of a package; its module `settings` declares one subclass.

    `Resource[AcmeSettings]` in the signature of a route, dependency or part is the instance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


def validate_app_settings(
    kind: type[AppSettings] | None, values: Mapping[str, object]
) -> AppSettings | None:
    """Validate the table `[app.settings]`. `kind` is None if the package declares no settings.

    Raises:
        InvalidSettings: a value is invalid or missing, or a key is unknown.
    """
    if kind is not None:
        try:
            return kind.model_validate(_decode(kind, values))
        except ValidationError as error:
            errors = [_convert_error(kind, found) for found in error.errors()]
            raise InvalidSettings(errors) from None
    if values:
        hint = "the package declares no settings; its module settings can, with AppSettings"
        paths = [format_path(("app", "settings", name)) for name in values]
        raise InvalidSettings([ConfigError(path, "no such setting", hint) for path in paths])
    return None


def _decode(kind: type[AppSettings], values: Mapping[str, object]) -> dict[str, object]:
    """Decode the variables of lists and tables: their text is JSON, as that of other settings."""
    return {name: _decode_json(kind.model_fields.get(name), it) for name, it in values.items()}


def _decode_json(field: FieldInfo | None, value: object) -> object:
    is_text = field is None or field.annotation is str
    if is_text or not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value  # pydantic refuses it


def _convert_error(kind: type[AppSettings], error: ErrorDetails) -> ConfigError:
    """Convert an error of pydantic. No value is quoted: it may be a secret."""
    path = ("app", "settings", *map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        hint = suggest_nearest(path[-1], kind.model_fields)
        return ConfigError(format_path(path), "no such setting", hint)
    return describe_error({**error, "loc": path, "input": None})
