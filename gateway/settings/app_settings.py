"""The settings that a company's package declares for itself, in the table `[app.settings]`."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.errors import ConfigError, InvalidSettings, suggest_nearest


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
            return kind.model_validate(values)
        except ValidationError as error:
            errors = [_convert_error(kind, found) for found in error.errors()]
            raise InvalidSettings(errors) from None
    if values:
        message = "the package declares no settings"
        hint = "declare a subclass of AppSettings in its module settings"
        raise InvalidSettings([ConfigError(_format_path(["app", "settings"]), message, hint)])
    return None


def _convert_error(kind: type[AppSettings], error: ErrorDetails) -> ConfigError:
    """Convert an error of pydantic. No value is quoted: it may be a secret."""
    path = _format_path(["app", "settings", *map(str, error["loc"])])
    if error["type"] == "extra_forbidden":
        hint = suggest_nearest(str(error["loc"][-1]), kind.model_fields)
        return ConfigError(path, "no such setting", hint)
    return ConfigError(path, error["msg"].removeprefix("Value error, "))


def _format_path(path: list[str]) -> str:
    return f"{'.'.join(path)} [LOCKGATE_{'__'.join(path).upper()}]"
