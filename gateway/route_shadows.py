"""Finds routes that take requests from each other: the first route that matches serves a request.

A route that no request can reach is always an error. A proxied route is also refused if it and
another route share some paths, and neither is the more specific one: the order alone would decide
which of two access rules holds. See `docs/decisions/proxied-routes.md`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

from fastapi import FastAPI
from starlette.routing import compile_path

from gateway.fastapi_internals import RouteContext, get_frontend_paths, iter_audited_routes
from gateway.path_trie import PathTrie
from gateway.proxy.declaration.methods import format_methods
from gateway.proxy.routes import find_proxy
from gateway.route_audit import list_kinds, locate_endpoint
from gateway.settings.errors import ConfigError

_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_PATH_PARAMETER = re.compile(r"\{\w+:path\}")
_EXAMPLES = {
    "path": ("", "~a", "~a/~b"),
    "int": ("7",),
    "float": ("7.5",),
    "uuid": ("01234567-89ab-cdef-0123-456789abcdef",),
    "str": ("~a",),
}
"""Values of parameters by their convertors; no route declares them as a literal segment."""


@dataclass(frozen=True)
class _Pattern:
    """One path of a route, with its methods, and the place where it is declared.

    `is_own` is True for a route of the gateway itself, such as `/docs/{file}`.
    """

    path: str
    methods: frozenset[str]
    is_proxied: bool
    is_own: bool
    place: str

    def __str__(self) -> str:
        return f"{format_methods(sorted(self.methods))} {self.path}"

    @cached_property
    def segments(self) -> Sequence[str]:
        return self.path.split("/")

    @cached_property
    def shape(self) -> str:
        """The path without the names of its parameters."""
        return _PARAMETER.sub(lambda it: f"{{:{it[2] or 'str'}}}", self.path)

    @cached_property
    def regex(self) -> re.Pattern[str]:
        return compile_path(self.path)[0]

    @cached_property
    def examples(self) -> Sequence[str]:
        """Paths that this route serves, of each kind that another route may tell apart."""
        kinds = [it[2] or "str" for it in _PARAMETER.finditer(self.path)]
        values = product(*(_EXAMPLES.get(kind, ()) for kind in kinds))
        template = _PARAMETER.sub("\0", self.path)
        return [_fill(template, each) for each in values]

    def covers(self, other: "_Pattern") -> bool:
        """Whether this route serves every path that the other one serves."""
        return bool(other.examples) and all(map(self.regex.match, other.examples))

    def crosses(self, later: "_Pattern") -> bool:
        """Whether one of two routes is proxied, and only some paths of either are the other's."""
        if self.is_own or not (self.is_proxied or later.is_proxied) or later.covers(self):
            return False
        return _overlap(self.segments, later.segments)

    def is_below(self, later: "_Pattern") -> bool:
        """Whether this route of the gateway takes paths below the first segment of a proxied one.

        A proxied route for any first segment, such as `/{path:path}`, has what the gateway leaves.
        """
        is_general = "{" in "".join(later.segments[:2])
        if not self.is_own or not later.is_proxied or is_general:
            return False
        return _overlap(self.segments, later.segments)


def find_shadowed_routes(app: FastAPI) -> Iterator[ConfigError]:
    """Find the routes of an app that another one shadows, each with the other one."""
    own = set(map(id, app.state.own_routes))
    patterns = [
        pattern
        for route in iter_audited_routes(app.router)
        for pattern in _iter_patterns(route, is_own=id(route.original_route) in own)
    ]
    for first, second in _list_pairs(patterns):
        methods = first.methods & second.methods
        if methods and (found := _find_conflict(first, second)):
            message, hint, place = found
            route = f"{format_methods(sorted(methods))} {second.path}"
            yield ConfigError(route, message, hint, place)


def _list_pairs(patterns: Sequence[_Pattern]) -> list[tuple[_Pattern, _Pattern]]:
    """List the pairs that may have a path in common, ordered as the patterns are."""
    trie: PathTrie[int] = PathTrie()
    pairs = []
    for later, pattern in enumerate(patterns):
        pairs += [(earlier, later) for earlier in trie.find_candidates(pattern.path)]
        trie.add(pattern.path, later)
    return [(patterns[earlier], patterns[later]) for earlier, later in sorted(pairs)]


def _find_conflict(first: _Pattern, second: _Pattern) -> tuple[str, str, str] | None:
    """Find what is wrong with two routes that have methods in common, of which `first` wins.

    Return the message, the hint and the place of the error.
    """
    if first.shape == second.shape:
        message = f"is declared twice, in {first.place} and {second.place}"
        return message, "remove one of them, or give it other methods or another path", ""
    if first.covers(second):
        message = f"no request can reach it: {first} in {first.place} takes all of them"
        is_movable = first.is_proxied == second.is_proxied
        hint = "declare it before that route" if is_movable else "give one of them another path"
        return message, hint, second.place
    if first.crosses(second):
        message = (
            f"{first} in {first.place} takes some of its requests, and neither path is the more "
            "specific one"
        )
        return message, "give one of them another path", second.place
    if first.is_below(second):
        message = f"{first} of the gateway itself in {first.place} takes some of its requests"
        return message, "give it another path: those of the gateway cannot be proxied", second.place
    return None


def _iter_patterns(route: RouteContext, *, is_own: bool) -> Iterator[_Pattern]:
    file, line = locate_endpoint(route)
    place = f"{file}:{line}" if file else "an unknown place"
    is_proxied = find_proxy(route) is not None
    if frontends := get_frontend_paths(route):
        for path in frontends:
            folder = f"{path.rstrip('/')}/{{file:path}}"
            yield _Pattern(folder, frozenset({"GET", "HEAD"}), is_proxied, is_own, place)
    elif route.path and getattr(route, "path_regex", None) is not None:
        yield _Pattern(str(route.path), frozenset(list_kinds(route)), is_proxied, is_own, place)


def _fill(template: str, values: Sequence[str]) -> str:
    for value in values:
        template = template.replace("\0", value, 1)
    return template


def _overlap(first: Sequence[str], second: Sequence[str]) -> bool:
    """Compare segment by segment; `{name:path}` matches one or more, the empty one included."""
    if not first or not second:
        return not first and not second
    if _PATH_PARAMETER.search(first[0]) or _PATH_PARAMETER.search(second[0]):
        return _have_same_beginning(first[0], second[0])
    return _is_same_segment(first[0], second[0]) and _overlap(first[1:], second[1:])


def _is_same_segment(first: str, second: str) -> bool:
    """Whether two segments can be equal; of two with parameters, the beginnings are compared."""
    if "{" in first and "{" in second:
        return _have_same_beginning(first, second)
    if "{" not in first and "{" not in second:
        return first == second
    pattern, literal = (first, second) if "{" in first else (second, first)
    return bool(_compile_segment(pattern).match(f"/{literal}"))


@lru_cache(maxsize=1_024)
def _compile_segment(segment: str) -> re.Pattern[str]:
    return compile_path(f"/{segment}")[0]


def _have_same_beginning(first: str, second: str) -> bool:
    """Whether the literal beginnings of two segments, one with a parameter, allow equal values."""
    ours, our_brace, _ = first.partition("{")
    theirs, their_brace, _ = second.partition("{")
    if our_brace and theirs.startswith(ours):
        return True
    return bool(their_brace) and ours.startswith(theirs)
