"""Whether a path parameter is written the one way in which its value is written back."""

from collections.abc import Iterator, Sequence

from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant


def is_canonical(name: str, text: str, dependant: Dependant) -> bool:
    """Whether whatever the route reads the parameter `name` as is written as `text` again.

    "042", "+42" and "4_2" are all read as 42: three more users, if their names were theirs to
    choose, would own what is 42's. A text that cannot be read is left to be refused as such.
    """
    for field in _readings(name, dependant):
        value, errors = field.validate(text, {}, loc=("path", name))
        if not errors and str(value) != text:
            return False
    return True


# A route's own dependant lives as long as the app: one entry for each, not one for each request.
_known: dict[tuple[int, str], tuple[Dependant, Sequence[ModelField]]] = {}


def _readings(name: str, dependant: Dependant) -> Sequence[ModelField]:
    """The fields that `_fields` finds, looked for once."""
    known = _known.get((id(dependant), name))
    if known is None or known[0] is not dependant:
        known = _known[id(dependant), name] = dependant, tuple(_fields(name, dependant))
    return known[1]


def _fields(name: str, dependant: Dependant) -> Iterator[ModelField]:
    """Every reading of the path parameter, in the route and all that it depends on."""
    yield from (field for field in dependant.path_params if name in _names(field))
    for part in dependant.dependencies:
        yield from _fields(name, part)


def _names(field: ModelField) -> set[str | None]:
    return {field.validation_alias, field.alias}
