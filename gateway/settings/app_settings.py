"""The settings that a company's package declares for itself, in the table `[app.settings]`."""

import json
from collections.abc import Collection, Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.error_messages import describe_error
from gateway.settings.errors import ConfigError, InvalidSettings, suggest_nearest
from gateway.settings.exception_text import describe_exception
from gateway.settings.layers import VariableText
from gateway.settings.setting_path import format_path, step_into


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
        InvalidSettings: a value is invalid or missing, a key is unknown, or a validator of the
            package raises another exception than pydantic expects.
    """
    if kind is not None:
        try:
            return kind.model_validate(_decode(kind, values))
        except ValidationError as error:
            errors = [_convert_error(kind, found) for found in error.errors()]
            raise InvalidSettings(errors) from None
        except Exception as error:
            message = f"cannot be validated: {describe_exception(error)}"
            raise InvalidSettings([ConfigError("app.settings", message)]) from error
    if values:
        hint = "the package declares no settings; its module settings can, with AppSettings"
        paths = [format_path(("app", "settings", name)) for name in values]
        raise InvalidSettings([ConfigError(path, "no such setting", hint) for path in paths])
    return None


def _decode(annotation: object, value: object) -> object:
    """Decode the variables of lists and tables: their text is JSON, as that of other settings."""
    if isinstance(value, VariableText):
        return _decode_json(str(value)) if _is_structured(annotation) else str(value)
    if isinstance(value, Mapping):
        return {name: _decode(step_into(annotation, name), inner) for name, inner in value.items()}
    return value


def _is_structured(annotation: object) -> bool:
    """Whether a type is a list, a set, a table or a model, so that a text is not a value of it."""
    if get_origin(annotation) is Annotated:
        return _is_structured(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        kinds = [kind for kind in get_args(annotation) if kind not in {NoneType, bool, int, float}]
        return bool(kinds) and all(map(_is_structured, kinds))
    kind = get_origin(annotation) or annotation
    if not isinstance(kind, type) or issubclass(kind, str | bytes | bytearray):
        return False
    return issubclass(kind, Collection | BaseModel) or is_dataclass(kind)


def _decode_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # pydantic refuses it


def _convert_error(kind: type[AppSettings], error: ErrorDetails) -> ConfigError:
    """Convert an error of pydantic. No value is quoted: it may be a secret."""
    path = ("app", "settings", *map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        hint = suggest_nearest(path[-1], kind.model_fields)
        return ConfigError(format_path(path), "no such setting", hint)
    return describe_error({**error, "loc": path, "input": None})
