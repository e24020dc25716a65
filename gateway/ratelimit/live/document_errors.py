"""Converts pydantic's errors in a live document into errors with the paths of its fields."""

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.error_messages import get_error_path, get_message
from gateway.settings.errors import ConfigError, suggest_nearest
from gateway.settings.section import CONFLICT
from gateway.settings.setting_path import format_path

MAX_ERRORS = 50
_MAX_SHOWN_LENGTH = 60


def describe_errors(
    error: ValidationError, document: type[BaseModel], override: type[BaseModel]
) -> list[ConfigError]:
    """Return the first mistakes, `MAX_ERRORS` at most; `override` is a part of `document`."""
    found = error.errors(include_url=False)[:MAX_ERRORS]
    return [_describe_error(it, document, override) for it in found]


def _describe_error(
    error: ErrorDetails, document: type[BaseModel], override: type[BaseModel]
) -> ConfigError:
    path = get_error_path(error)
    if error["type"] == "extra_forbidden":
        known = (document if len(path) == 1 else override).model_fields
        return ConfigError(format_path(path), "no such field", suggest_nearest(path[-1], known))
    if error["type"] == CONFLICT:
        path += (str(error["ctx"]["at"]),)
    return ConfigError(format_path(path), get_message(error), _show_value(error))


def _show_value(error: ErrorDetails) -> str:
    """Return the value as a hint, unless the message has it or there is none."""
    value = error["input"]
    is_shown = error["type"] not in {"value_error", "missing", CONFLICT}
    if not is_shown or not isinstance(value, int | float | str):
        return ""
    text = repr(value)
    return f"got {text}" if len(text) <= _MAX_SHOWN_LENGTH else ""
