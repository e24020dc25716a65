"""The parameters of a route in its path and its query, read as FastAPI reads them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl

from fastapi._compat import ModelField, field_annotation_is_scalar
from fastapi.dependencies.models import Dependant
from pydantic import Json, ValidationError

# What needs no copy for each request, as FastAPI makes of every other default.
_IMMUTABLE = frozenset({bool, bytes, float, int, str, type(None)})

T = TypeVar("T")

Texts = Mapping[str, str]
Values = dict["RouteParameter", Any]


class NotCompilable(Exception):
    """FastAPI has to work this route out for each request anew; the text says why."""


class InvalidParameter(Exception):
    """A parameter is missing, or is not what it has to be; FastAPI can say what is wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class RouteParameter:
    """One parameter: the name it is passed on by, and the one it has in the path or the query."""

    name: str
    alias: str
    in_path: bool
    validate: Callable[[str], Any]
    default: Callable[[], Any]

    def value(self, path: Texts, query: Texts) -> Any:  # noqa: ANN401 - the field says the type
        """What the request says, validated; the default if it says nothing.

        Raises:
            Invalid: it says something wrong, or nothing where there is no default.
        """
        text = (path if self.in_path else query).get(self.alias)
        if text is None:
            return self.default()
        try:
            return self.validate(text)
        except ValidationError:
            raise InvalidParameter from None


def inputs_of(dependant: Dependant) -> tuple[RouteParameter, ...]:
    """What a dependant itself reads from the path and the query.

    Raises:
        Unsettled: one of them is more than one text under one name.
    """
    inputs = [*_inputs(dependant.path_params, in_path=True)]
    inputs += _inputs(dependant.query_params, in_path=False)
    return tuple(inputs)


def validator_of(field: ModelField) -> Callable[[str], Any]:
    """FastAPI's own validator of a field, without the steps in which it gathers errors.

    It raises pydantic's ValidationError.
    """
    return partial(field._type_adapter.validator.validate_python, from_attributes=True)  # noqa: SLF001


def query_of(query_string: bytes) -> Texts:
    """The parameters of a query; of several with one name the last counts."""
    if not query_string:
        return {}
    return dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))


def _inputs(fields: list[ModelField], *, in_path: bool) -> Iterator[RouteParameter]:
    for field in fields:
        info = field.field_info
        is_text = field_annotation_is_scalar(info.annotation) and Json not in map(
            type, info.metadata
        )
        if not is_text or info.validate_default or info.validation_alias not in {None, field.alias}:
            raise NotCompilable(f"{field.name} is more than one text under one name")
        yield RouteParameter(field.name, field.alias, in_path, validator_of(field), _default(field))


def _default(field: ModelField) -> Callable[[], Any]:
    if field.field_info.is_required():
        return _required
    if field.field_info.default_factory is None and type(field.get_default()) in _IMMUTABLE:
        return partial(_same, field.get_default())
    return field.get_default


def _same(value: T) -> T:
    return value


def _required() -> NoReturn:
    raise InvalidParameter
