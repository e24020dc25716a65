"""The operation ids, from which generators of clients take the names of methods and types."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from gateway.fastapi_internals import RouteContext
from gateway.settings.errors import ConfigError, InvalidSettings

Operation = tuple[str, str]
"""The path of a route, and a method in lower case."""


def choose_operation_ids(routes: Iterable[RouteContext]) -> Mapping[Operation, str]:
    """Choose an id for every operation: the name of its function, such as `get_dashboard`.

    Functions that share a name, or one with several paths or methods, get longer ids as FastAPI
    makes them, of name, path and method. An `operation_id=` of a route is kept.

    Raises:
        InvalidSettings: two operations declare the same `operation_id`.
    """
    operations = {
        (str(route.path_format), method.lower()): route
        for route in routes
        for method in sorted(route.methods or ())
    }
    declared = {
        key: str(route.operation_id) for key, route in operations.items() if route.operation_id
    }
    _refuse_duplicates(declared)
    names = {key: _get_name(route) for key, route in operations.items() if key not in declared}
    taken = Counter([*names.values(), *declared.values()])
    return {
        **declared,
        **{
            (path, method): name if taken[name] == 1 else _make_long(name, path, method)
            for (path, method), name in names.items()
        },
    }


def _refuse_duplicates(declared: Mapping[Operation, str]) -> None:
    errors = []
    for shared, count in Counter(declared.values()).items():
        if count > 1:
            places = [f"{m.upper()} {path}" for (path, m), id_ in declared.items() if id_ == shared]
            message = f"operation_id {shared!r} is declared by {' and '.join(places)}"
            errors.append(ConfigError(places[-1], message, "give each operation an id of its own"))
    if errors:
        raise InvalidSettings(errors)


def _get_name(route: RouteContext) -> str:
    return re.sub(r"\W", "_", str(route.name))


def _make_long(name: str, path: str, method: str) -> str:
    """Return what FastAPI generates by default: `get_a` at GET /a/{b} is `get_a_a__b__get`."""
    return re.sub(r"\W", "_", f"{name}{path}") + f"_{method}"
