"""The parts of a composite: the functions that load them, bound to its fields at import."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from gateway.upstream.client import ServiceClient
from gateway.upstream.pending import PendingCall

Fetch = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Part:
    """Declares the function that loads a field of a composite.

    `timeout` is in seconds and defaults to the budget of the composite.
    """

    fetch: Fetch
    timeout: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class BoundPart:
    """A part bound to its field, computed once when the composite class is created."""

    name: str
    fetch: Fetch
    inputs: tuple[inspect.Parameter, ...]
    timeout: float
    required: bool
    service: str
    input_names: tuple[str, ...]
    is_one_call: bool

    @classmethod
    def bind(cls, name: str, field: FieldInfo, part: Part, budget: float) -> "BoundPart":
        """Check a declared part against its field.

        Raises:
            TypeError: the function is neither a coroutine function nor one that returns a
                PendingCall, its return type is not that of the field, an input has no type, or
                the timeout is not positive or exceeds the budget of the composite.
        """
        is_one_call = not inspect.iscoroutinefunction(part.fetch)
        hints = get_type_hints(part.fetch, include_extras=True)
        return_type = hints.get("return")
        if is_one_call:
            if get_origin(return_type) is not PendingCall:
                raise TypeError(
                    f"part {name}: {part.fetch!r} is not an async function, "
                    "nor one that returns a PendingCall[...]"
                )
            (return_type,) = get_args(return_type)
            return_type = NoneType if return_type is None else return_type
        if not _is_type_of(return_type, field.annotation):
            raise TypeError(
                f"part {name}: {part.fetch.__name__} returns {_type_name(return_type)}, "
                f"but the field is {_type_name(field.annotation)}"
            )
        timeout = budget if part.timeout is None else part.timeout
        if not 0 < timeout <= budget:
            raise TypeError(
                f"part {name}: its timeout of {timeout} s exceeds the budget of {budget} s, "
                "or is not positive"
            )
        inputs = tuple(_inspect_inputs(name, part.fetch, hints))
        names = tuple(parameter.name for parameter in inputs)
        required, service = field.is_required(), _first_service(name, inputs)
        return cls(name, part.fetch, inputs, timeout, required, service, names, is_one_call)

    def call(self, inputs: Mapping[str, Any]) -> Awaitable[Any]:
        """Call the function with its inputs; return a PendingCall if the part `is_one_call`."""
        return self.fetch(**{name: inputs[name] for name in self.input_names})


@dataclass(frozen=True, slots=True)
class TimeoutGroup:
    """The parts with the same timeout, in seconds: single calls and coroutine functions."""

    timeout: float
    calls: tuple[BoundPart, ...]
    coroutines: tuple[BoundPart, ...]


def group_by_timeout(parts: Sequence[BoundPart]) -> tuple[TimeoutGroup, ...]:
    """Return one group for each timeout."""
    return tuple(
        TimeoutGroup(
            timeout,
            calls=tuple(part for part in parts if part.timeout == timeout and part.is_one_call),
            coroutines=tuple(
                part for part in parts if part.timeout == timeout and not part.is_one_call
            ),
        )
        for timeout in dict.fromkeys(part.timeout for part in parts)
    )


def _is_type_of(return_type: object, field_type: object) -> bool:
    """Whether the return type fits the field type: a `User` fits `User` and `User | None`."""
    return return_type == field_type or (
        get_origin(field_type) in (Union, UnionType) and return_type in get_args(field_type)
    )


def _inspect_inputs(name: str, fetch: Fetch, hints: dict[str, Any]) -> list[inspect.Parameter]:
    """Return the function's parameters as keyword-only, with resolved types."""
    inputs = []
    for parameter in inspect.signature(fetch).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"part {name}: {fetch.__name__} takes {parameter}; name each input")
        if parameter.kind is parameter.POSITIONAL_ONLY or parameter.name not in hints:
            raise TypeError(f"part {name}: {fetch.__name__} needs a type for {parameter.name}")
        inputs.append(
            parameter.replace(annotation=hints[parameter.name], kind=parameter.KEYWORD_ONLY)
        )
    return inputs


def _first_service(name: str, inputs: tuple[inspect.Parameter, ...]) -> str:
    """Return the service of the first client, for timeout errors; default to the part name."""
    for parameter in inputs:
        kind = getattr(parameter.annotation, "__origin__", None)
        if isinstance(kind, type) and issubclass(kind, ServiceClient):
            return kind.name
    return name


def _type_name(annotation: object) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
