"""Checks the arguments of `Proxy(...)` before Python does, which would not name the route."""

from collections.abc import Iterator, Mapping, Sequence
from functools import wraps
from inspect import Parameter, signature
from typing import Protocol, TypeVar

from gateway.settings.errors import suggest_nearest


class Declaration(Protocol):
    """A declaration that can record its mistakes."""

    def record_mistakes(self, path: object, mistakes: Sequence[str]) -> None:
        """Record the mistakes of the declaration for `path`, or raise them."""


T = TypeVar("T", bound=Declaration)


def check_arguments(kind: type[T]) -> type[T]:
    """Decorate a class, so that it records the arguments that its `__init__` cannot take.

    The object has no other attributes then.
    """
    construct = kind.__init__
    parameters = [*signature(kind).parameters.values()]

    @wraps(construct)
    def check_and_construct(self: T, *args: object, **options: object) -> None:
        if errors := list(find_argument_errors(parameters, args, options)):
            self.record_mistakes(args[0] if args else options.get("path"), errors)
        else:
            construct(self, *args, **options)

    kind.__init__ = check_and_construct  # type: ignore[method-assign, assignment]
    return kind


def find_argument_errors(
    parameters: Sequence[Parameter], args: Sequence[object], options: Mapping[str, object]
) -> Iterator[str]:
    """Yield the errors of arguments: too many, given twice, missing or unknown."""
    positional = [it.name for it in parameters if it.kind is Parameter.POSITIONAL_OR_KEYWORD]
    names = [it.name for it in parameters]
    if len(args) > len(positional):
        yield (
            f"{args[len(positional)]!r:.60} has no name; only {' and '.join(positional)} are given "
            'without one, and the others as requires="scope"'
        )
    for name in positional[: len(args)]:
        if name in options:
            yield f"{name} is given twice"
    for name in positional[len(args) :]:
        if name not in options:
            yield f"{name} is missing"
    for name in options:
        if name not in names:
            yield f"there is no option {name} ({suggest_nearest(name, names)})"
