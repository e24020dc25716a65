"""Reads the settings: the file, the environment over it, and a clear word on every mistake."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

from config.mistakes import Mistake, SettingsMistaken, nearest
from config.settings import Settings

PREFIX = "LOCKGATE_"
FILE_VARIABLE = "LOCKGATE_CONFIG"


def load_settings(file: Path | None = None) -> Settings:
    """Read `file` (or the one `LOCKGATE_CONFIG` names), and the environment over it.

    Raises:
        SettingsMistaken: a key is unknown or a value is wrong, in the file or the environment.
    """
    if file is None and os.environ.get(FILE_VARIABLE):
        file = Path(os.environ[FILE_VARIABLE])
    given = _read(file) if file else {}
    unknown = list(_unknown_variables(os.environ))
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsMistaken([*unknown, *map(_mistake, error.errors())]) from None
    except UnreadableVariable as error:
        raise SettingsMistaken([*unknown, _unreadable(error)]) from None
    if unknown:
        raise SettingsMistaken(unknown)
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsMistaken(
            [Mistake(str(file), error.strerror or "cannot be read", "name a TOML file")]
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsMistaken([Mistake(str(file), f"is not TOML: {error}")]) from error


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[Mistake]:
    """Variables with our prefix that no setting reads; pydantic-settings would pass over them."""
    for variable in sorted(environ):
        if variable.upper().startswith(PREFIX) and variable.upper() != FILE_VARIABLE:
            name = variable[len(PREFIX) :].split("__")[0].lower()
            if name not in Settings.model_fields:
                yield Mistake(variable, "no such setting", nearest(name, Settings.model_fields))


def _mistake(error: ErrorDetails) -> Mistake:
    path = [str(step) for step in error["loc"]]
    if error["type"] == "extra_forbidden":
        hint = nearest(path[-1], _keys_at(path[:-1]))
        return Mistake(_place(path), "no such setting", hint)
    message = error["msg"].removeprefix("Value error, ")
    return Mistake(_place(path), message[:1].lower() + message[1:], _given(error))


def _place(path: list[str]) -> str:
    return f"{'.'.join(path)} [{PREFIX}{'__'.join(path).upper()}]"


def _given(error: ErrorDetails) -> str:
    """What was given, where it is short and plainly no secret (an address may carry one)."""
    value = error["input"]
    plain = isinstance(value, int | float | str) and "url" not in str(error["loc"][-1])
    return f"got {value!r}" if plain and len(str(value)) <= 60 else ""


def _unreadable(error: UnreadableVariable) -> Mistake:
    field = str(error).split('"')[1] if '"' in str(error) else ""
    return Mistake(_place([field]), "is not JSON", "a list or table in a variable is JSON")


def _keys_at(path: list[str]) -> list[str]:
    """The keys that the settings know at `path`."""
    model: type[BaseModel] = Settings
    for step in path:
        field = model.model_fields.get(step)
        model = _model_in(field.annotation if field else None) or model
    return list(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
