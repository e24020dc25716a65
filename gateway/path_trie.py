"""A trie of the paths of routes, which finds the routes that may match one request with another.

To compare each of 2,000 routes with each other takes 2 million comparisons. Most pairs differ in a
literal segment, and a trie never meets those.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

_PARAMETER = re.compile(r"\{\w+(?::(\w+))?\}")
_OF_ONE_SEGMENT = frozenset({"", "str", "int", "float", "uuid"})
"""The convertors that match no slash; "" is the default. Any other may match several segments."""

_ANY = None
"""Stands for a segment with a parameter."""

T = TypeVar("T")


class _Node(Generic[T]):
    """The paths that begin with some segments.

    `ends` are the values of the paths that have no further segment, and `rests` those of the paths
    whose next segment may match several.
    """

    __slots__ = ("children", "ends", "rests")

    def __init__(self) -> None:
        self.children: dict[str | None, _Node[T]] = {}
        self.ends: list[T] = []
        self.rests: list[T] = []


class PathTrie(Generic[T]):
    """Values by paths of routes, such as `/orders/{order}` and `/stock/{path:path}`."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, path: str, value: T) -> None:
        """Add a value; several values may have the same path."""
        segments, has_rest = _split(path)
        node = self._root
        for segment in segments:
            node = node.children.setdefault(segment, _Node())
        (node.rests if has_rest else node.ends).append(value)

    def find_candidates(self, path: str) -> Iterator[T]:
        """Yield, in no order, the values of the paths that may have a request path in common.

        Parameters are taken to match any text, so that some of them may have none.
        """
        segments, has_rest = _split(path)
        return _iter_candidates(self._root, segments, has_rest=has_rest)


def _split(path: str) -> tuple[Sequence[str | None], bool]:
    """Split a path into its segments before the first one that may match several.

    Also return whether there is such a segment.
    """
    segments: list[str | None] = []
    for segment in path.split("/"):
        convertors = _PARAMETER.findall(segment)
        if not _OF_ONE_SEGMENT.issuperset(convertors):
            return segments, True
        segments.append(_ANY if "{" in segment else segment)
    return segments, False


def _iter_candidates(
    node: _Node[T], segments: Sequence[str | None], *, has_rest: bool
) -> Iterator[T]:
    if not segments:
        yield from _iter_below(node) if has_rest else node.ends
        return
    yield from node.rests
    segment, *further = segments
    if segment is _ANY:
        children = list(node.children.values())
    else:
        children = [it for key in (segment, _ANY) if (it := node.children.get(key)) is not None]
    for child in children:
        yield from _iter_candidates(child, further, has_rest=has_rest)


def _iter_below(node: _Node[T]) -> Iterator[T]:
    """Yield the values of the paths that have at least one segment more."""
    yield from node.rests
    for child in node.children.values():
        yield from child.ends
        yield from _iter_below(child)
