"""Finds the settled route of a request, as FastAPI would find it: the first that matches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from re import Pattern

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.convertors import StringConvertor
from starlette.routing import BaseRoute
from starlette.types import Scope

from gateway.routing.compiled_route import CompiledRoute
from gateway.routing.parameters import NotCompilable


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One route of the app, settled or not; `segment` is its first, None where any fits."""

    segment: str | None
    path: Pattern[str]
    methods: frozenset[str]
    settled: CompiledRoute | None


class RouteTable:
    """Every route of an app in order, up to the first whose path cannot be read here.

    Only those are tried whose first segment is the request's, or a parameter.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.rows = list(_rows(iter_route_contexts(routes)))
        self._others = [row for row in self.rows if row.segment is None]
        self._by_segment = {
            segment: [row for row in self.rows if row.segment in {segment, None}]
            for segment in {row.segment for row in self.rows if row.segment is not None}
        }

    def find(self, scope: Scope) -> tuple[CompiledRoute, dict[str, str]] | None:
        """The route for a request and what its path says; None leaves it to FastAPI."""
        method, path = scope["method"], scope["path"]
        if "\n" in path:  # before a last one the patterns of paths end, too
            return None
        for row in self._by_segment.get(path[1:].partition("/")[0], self._others):
            if method in row.methods and (match := row.path.match(path)):
                return None if row.settled is None else (row.settled, match.groupdict())
        return None


def _rows(routes: Iterable[RouteContext]) -> Iterable[RouteEntry]:
    for route in routes:
        if not isinstance(getattr(route, "path_regex", None), Pattern) or not route.methods:
            return
        first = (route.path or "")[1:].partition("/")[0]
        segment = None if "{" in first else first
        yield RouteEntry(segment, route.path_regex, frozenset(route.methods), _settled(route))


def _settled(route: RouteContext) -> CompiledRoute | None:
    if any(type(it) is not StringConvertor for it in route.param_convertors.values()):
        return None
    try:
        return CompiledRoute.of(route)
    except NotCompilable:
        return None
