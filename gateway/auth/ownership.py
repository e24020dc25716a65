"""Whether a path parameter is written the one way in which its value is written back."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from pydantic import ValidationError

from gateway.routing.parameters import validator_of

Reading = Callable[[str], Any]


def is_canonical(name: str, text: str, dependant: Dependant) -> bool:
    """Whether whatever the route reads the parameter `name` as is written as `text` again.

    "042", "+42" and "4_2" are all read as 42: three more users, if their names were theirs to
    choose, would own what is 42's. A text that cannot be read is left to be refused as such.
    """
    for read in _readings(name, dependant):
        try:
            value = read(text)
        except ValidationError:
            continue
        if str(value) != text:
            return False
    return True


# A route's own dependant lives as long as the app: one entry for each, not one for each request.
_known: dict[tuple[int, str], tuple[Dependant, Sequence[Reading]]] = {}


def _readings(name: str, dependant: Dependant) -> Sequence[Reading]:
    """How the fields that `_fields` finds read a text, looked for once."""
    known = _known.get((id(dependant), name))
    if known is None or known[0] is not dependant:
        readings = tuple(map(validator_of, _fields(name, dependant)))
        known = _known[id(dependant), name] = dependant, readings
    return known[1]


def _fields(name: str, dependant: Dependant) -> Iterator[ModelField]:
    """Every reading of the path parameter, in the route and all that it depends on."""
    yield from (field for field in dependant.path_params if name in _names(field))
    for part in dependant.dependencies:
        yield from _fields(name, part)


def _names(field: ModelField) -> set[str | None]:
    return {field.validation_alias, field.alias}
