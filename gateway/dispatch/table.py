"""Finds the settled route of a request, as FastAPI would find it: the first that matches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from re import Pattern

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.convertors import StringConvertor
from starlette.routing import BaseRoute
from starlette.types import Scope

from gateway.dispatch.inputs import Unsettled
from gateway.dispatch.route import Settled

_ANY = "{"  # no path holds it as its first segment: rows that any first segment may fit


@dataclass(frozen=True, slots=True)
class Row:
    """One route of the app, settled or not; `segment` is the first of its path, if it is fixed."""

    segment: str
    path: Pattern[str]
    methods: frozenset[str]
    settled: Settled | None


class Table:
    """Every route of an app in order, up to the first whose path cannot be read here.

    Only those are tried whose first segment is the request's, or a parameter.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.rows = list(_rows(iter_route_contexts(routes)))
        self._by_segment = {
            segment: [row for row in self.rows if row.segment in {segment, _ANY}]
            for segment in {row.segment for row in self.rows} | {_ANY}
        }
        self._others = self._by_segment.pop(_ANY)

    def find(self, scope: Scope) -> tuple[Settled, dict[str, str]] | None:
        """The route for a request and what its path says; None leaves it to FastAPI."""
        method, path = scope["method"], scope["path"]
        for row in self._by_segment.get(path[1:].partition("/")[0], self._others):
            if method in row.methods and (match := row.path.match(path)):
                return None if row.settled is None else (row.settled, match.groupdict())
        return None


def _rows(routes: Iterable[RouteContext]) -> Iterable[Row]:
    for route in routes:
        if not isinstance(getattr(route, "path_regex", None), Pattern) or not route.methods:
            return
        segment = (route.path or "")[1:].partition("/")[0]
        segment = _ANY if "{" in segment else segment
        yield Row(segment, route.path_regex, frozenset(route.methods), _settled(route))


def _settled(route: RouteContext) -> Settled | None:
    if any(type(it) is not StringConvertor for it in route.param_convertors.values()):
        return None
    try:
        return Settled.of(route)
    except Unsettled:
        return None
