"""Checks the arguments of a declaration before Python does, which would not name the declaration.

`Proxy("/stock/{path:path}", to="stock")` is a call whose arguments are checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import wraps
from inspect import Parameter, signature
from typing import TypeVar

from gateway.declaration.declaration import Declaration
from gateway.settings.errors import suggest_nearest

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
            self.record_mistakes(args[0] if args else options.get(parameters[0].name), errors)
        else:
            construct(self, *args, **options)

    kind.__init__ = check_and_construct  # type: ignore[method-assign, assignment]
    return kind


def find_argument_errors(
    parameters: Sequence[Parameter], args: Sequence[object], options: Mapping[str, object]
) -> Iterator[str]:
    """Yield the errors of arguments: too many, given twice, missing or unknown."""
    names = [it.name for it in parameters]
    positional = [it.name for it in parameters if it.kind is Parameter.POSITIONAL_OR_KEYWORD]
    required = [it.name for it in parameters if it.default is Parameter.empty]
    if len(args) > len(positional):
        are_given = "is given" if len(positional) == 1 else "are given"
        example = next(name for name in names if name not in positional)
        yield (
            f"{args[len(positional)]!r:.60} has no name; only {' and '.join(positional)} "
            f'{are_given} without one, and the others as {example}="…"'
        )
    given = [*positional[: len(args)], *options]
    for name in positional[: len(args)]:
        if name in options:
            yield f"{name} is given twice"
    for name in required:
        if name not in given:
            yield f"{name} is missing"
    for name in options:
        if name not in names:
            yield f"there is no option {name} ({suggest_nearest(name, names)})"
