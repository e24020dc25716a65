"""The problems that the functions of routes declare with `raises`, as OpenAPI lists them."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from gateway.errors.problem_types import describe_raised_problem
from gateway.fastapi_internals import RouteContext
from gateway.openapi.route_calls import list_raised_problems
from gateway.openapi.route_problems import Problems
from gateway.settings.errors import ConfigError
from gateway.upstream.problem import UpstreamProblem

SchemaNames = Mapping[type[UpstreamProblem], str]


def choose_schema_names(routes: Iterable[RouteContext], taken: Collection[str]) -> SchemaNames:
    """Choose the name of the schema of each problem: `PriceChanged` is PriceChangedProblem.

    A name that is not unique, or taken, gets the module in front, as pydantic does with models.
    The schemas of nested models begin with that name, so a taken one must not.
    """
    kinds = {kind for route in routes for kind in list_raised_problems(route.dependant)}
    names = {kind: _add_suffix(kind.__name__) for kind in kinds}
    count = Counter(names.values())
    return {
        kind: name if count[name] == 1 and _is_free(name, taken) else _make_long_name(kind)
        for kind, name in names.items()
    }


def _is_free(prefix: str, taken: Iterable[str]) -> bool:
    return not any(name.startswith(prefix) for name in taken)


def _make_long_name(kind: type) -> str:
    return _add_suffix(re.sub(r"\W+", "__", f"{kind.__module__}.{kind.__qualname__}"))


def _add_suffix(name: str) -> str:
    return f"{name.removesuffix('Problem')}Problem"


def describe_raised_problems(route: RouteContext, names: SchemaNames) -> Problems:
    """Return the problems that the functions of a route declare."""
    found: Problems = {}
    for kind in list_raised_problems(route.dependant):
        problem = describe_raised_problem(kind, names[kind])
        found.setdefault(str(kind.declaration.status), {})[problem.type] = problem
    return found


def find_ambiguous_problems(route: RouteContext) -> list[ConfigError]:
    """Find the problems of a route whose members a client could not tell by status and `type`."""
    errors = []
    known: dict[tuple[int, str], type[UpstreamProblem]] = {}
    for kind in list_raised_problems(route.dependant):
        declared = kind.declaration
        other = known.setdefault((declared.status, declared.type_uri), kind)
        if other.declaration.members is not declared.members:
            message = (
                f"raises({other.__name__}, {kind.__name__}): both problems are {declared.status} "
                f"{declared.type_uri}, but their members differ"
            )
            errors.append(
                ConfigError(describe_route(route), message, "give each a type of its own")
            )
    return errors


def describe_route(route: RouteContext) -> str:
    """Return the methods and the path of a route: `GET /orders`."""
    return f"{'/'.join(sorted(route.methods or ()))} {route.path}"
