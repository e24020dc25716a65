"""Finds paths beside a proxied route that another route sends to the same service.

`/stock/admin/{path:path}` does not match `/stock/admin`, and `/stock/reset` does not match
`/stock/reset/`. Most services serve both alike. If a later route such as `/stock/{path:path}` takes
the other spelling, its access rule decides about what the first route guards.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gateway.fastapi_internals import RouteContext
from gateway.path_trie import PathTrie
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.routes import find_proxy
from gateway.settings.errors import ConfigError

_REST = re.compile(r"/\{\w+:path\}$")
_PARAMETER = re.compile(r"\{\w+\}")


class _Served(NamedTuple):
    """A route with its pattern, its methods, and its declaration if it is proxied."""

    pattern: re.Pattern[str]
    methods: frozenset[str]
    proxy: Proxy | None


def find_uncovered_paths(routes: Iterable[RouteContext]) -> Iterator[ConfigError]:
    """Find the proxied routes whose path has another spelling with a weaker access rule.

    `routes` are those of the app, in their order.
    """
    served: list[_Served] = []
    trie: PathTrie[int] = PathTrie()
    for route in routes:
        if (pattern := getattr(route, "path_regex", None)) is not None:
            trie.add(str(route.path), len(served))
            served.append(_Served(pattern, _list_methods(route), find_proxy(route)))
    for proxy in [it.proxy for it in served if it.proxy is not None]:
        path = _spell_otherwise(proxy.path)
        example = _PARAMETER.sub("~a", path)
        candidates = [served[index] for index in sorted(trie.find_candidates(example))]
        other = path and next(_find_weaker(proxy, example, candidates), None)
        if other:
            yield ConfigError(
                str(proxy),
                f"does not cover {path}, which {other} in {other.place} sends to the"
                " same service with another access rule",
                f"declare {path} as well, or give both routes the same access",
                proxy.place,
            )


def _list_methods(route: RouteContext) -> frozenset[str]:
    """List the methods that a route takes; HEAD of a GET, and OPTIONS, are the first route's."""
    methods = frozenset(route.methods or ()) | {"OPTIONS"}
    return methods | {"HEAD"} if "GET" in methods else methods


def _spell_otherwise(path: str) -> str:
    """Return the path without the slash at its end, or with it; "" for that of all paths."""
    without = _REST.sub("", path).removesuffix("/")
    return f"{path}/" if without == path else without


def _find_weaker(proxy: Proxy, example: str, served: Iterable[_Served]) -> Iterator[Proxy]:
    """Yield the routes that take requests to a path, and admit callers that `proxy` refuses."""
    left = set(proxy.methods)
    for pattern, methods, other in served:
        if left & methods and pattern.match(example):
            left -= methods
            if other is not None and other.to == proxy.to and not _is_as_strict(other, proxy):
                yield other


def _is_as_strict(other: Proxy, proxy: Proxy) -> bool:
    """Whether `proxy` admits every caller that `other` admits."""
    if proxy.public is not None:
        return True
    if other.public is not None or not set(proxy.scopes) <= set(other.scopes):
        return False
    return proxy.owner is None or other.owner is not None
