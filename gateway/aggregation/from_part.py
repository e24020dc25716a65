"""`FromPart[User]`: the result of another part of the same composite, to await in a part.

    async def fetch_offers(profile: FromPart[User], catalog: Upstream[Catalog]) -> list[Offer]:
        user = await profile
        return await catalog.offers(user.plan)

The name of the parameter is the field of the other part, whose function is called once.
"""

import asyncio
from collections.abc import Awaitable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ResultOf:
    """The marker behind `FromPart`; `kind` is the type of the result."""

    kind: Any


if TYPE_CHECKING:
    FromPart = Annotated[Awaitable[T], "the result of the part of that name"]
else:

    class FromPart:
        """`FromPart[User]`: the result of the part of that name."""

        def __class_getitem__(cls, kind: type[T]) -> Any:  # noqa: ANN401
            return Annotated[Awaitable[kind], ResultOf(kind)]


def find_marker(annotation: object) -> ResultOf | None:
    """Return the marker of a `FromPart[...]` annotation; None for any other."""
    return next((mark for mark in get_args(annotation)[1:] if isinstance(mark, ResultOf)), None)


class PartResult(Awaitable[Any]):
    """The result of one part of a run. Any number of parts may await it.

    A part that is cancelled while it waits does not affect the part that it waits for.
    """

    __slots__ = ("_ended", "_error", "_value")

    def __init__(self, ended: asyncio.Future[None]) -> None:
        self._ended = ended
        self._value: Any = None
        self._error: BaseException | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        """Wait for the part, and return its value or raise its error."""
        return self._wait().__await__()

    async def _wait(self) -> Any:  # noqa: ANN401 - the type of the part
        if not self._ended.done():
            await asyncio.wait([self._ended])  # unlike `await`, it does not cancel the future
        if self._error is not None:
            raise self._error
        return self._value

    def set_value(self, value: Any) -> None:  # noqa: ANN401 - the type of the part
        """End the part with a value."""
        self._value = value
        self._ended.set_result(None)

    def set_error(self, error: BaseException) -> None:
        """End the part with an error."""
        self._error = error
        self._ended.set_result(None)

    def close(self) -> None:
        """Forget the outcome: the traceback of an error refers to the run, which holds this."""
        self._value, self._error = None, RuntimeError("the composite has been built already")
        if not self._ended.done():
            self._ended.set_result(None)


def find_cycle(results: Mapping[str, Iterable[str]]) -> list[str] | None:
    """Return the names along a cycle of parts that await each other; None if there is none.

    `results` maps each part to the parts whose results it takes.
    """
    checked: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str] | None:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in checked:
            return None
        cycles = (walk(other, [*path, name]) for other in results.get(name, ()))
        found = next(filter(None, cycles), None)
        checked.add(name)
        return found

    return next(filter(None, (walk(name, []) for name in results)), None)
