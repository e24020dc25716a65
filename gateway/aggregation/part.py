"""The parts of a composite: the functions that load them, bound to its fields at import."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from gateway.aggregation.from_part import ResultOf, find_cycle, find_marker
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
    """A part bound to its field, computed once when the composite class is created.

    `inputs` are read from the request, `results` are those of other parts (`FromPart`), by the
    name of the part. A part `decodes_at_once` if an error or another part needs its value early.
    """

    name: str
    fetch: Fetch
    return_type: object
    inputs: tuple[inspect.Parameter, ...]
    results: Mapping[str, ResultOf]
    timeout: float
    required: bool
    service: str
    argument_names: tuple[str, ...]
    is_one_call: bool
    decodes_at_once: bool

    @classmethod
    def bind(cls, name: str, field: FieldInfo, part: Part, budget: float) -> "BoundPart":
        """Check a declared part against its field.

        Raises:
            TypeError: the function is neither a coroutine function nor one that returns a
                PendingCall, its return type is not that of the field, an input has no type, it
                takes a result that it cannot await, or the timeout is not positive or exceeds
                the budget of the composite.
        """
        is_one_call = not inspect.iscoroutinefunction(part.fetch)
        hints = get_type_hints(part.fetch, include_extras=True)
        return_type = _get_return_type(name, part.fetch, hints, is_one_call=is_one_call)
        if not _is_type_of(return_type, field.annotation):
            raise TypeError(
                f"part {name}: {part.fetch.__name__} returns {_get_type_name(return_type)}, "
                f"but the field is {_get_type_name(field.annotation)}"
            )
        timeout = budget if part.timeout is None else part.timeout
        if not 0 < timeout <= budget:
            raise TypeError(
                f"part {name}: its timeout of {timeout} s exceeds the budget of {budget} s, "
                "or is not positive"
            )
        parameters = _inspect_parameters(name, part.fetch, hints)
        results = _find_results(name, part.fetch, parameters, is_one_call=is_one_call)
        inputs = tuple(parameter for parameter in parameters if parameter.name not in results)
        return cls(
            name=name,
            fetch=part.fetch,
            return_type=return_type,
            inputs=inputs,
            results=results,
            timeout=timeout,
            required=field.is_required(),
            service=_find_first_service(name, inputs),
            argument_names=tuple(parameter.name for parameter in parameters),
            is_one_call=is_one_call,
            decodes_at_once=field.is_required(),
        )

    def call(self, arguments: Mapping[str, Any]) -> Awaitable[Any]:
        """Call the function; return a PendingCall if the part `is_one_call`.

        `arguments` are the inputs and results of all parts of the composite.
        """
        return self.fetch(**{name: arguments[name] for name in self.argument_names})


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


def bind_results(composite: str, parts: Sequence[BoundPart]) -> tuple[BoundPart, ...]:
    """Check that parts take only results that other parts of the composite have.

    Returns the parts, of which those that others wait for decode their responses at once.

    Raises:
        TypeError: a result belongs to no other part or is of another type, an input has the name
            of a shared part, or parts wait for each other.
    """
    by_name = {part.name: part for part in parts}
    shared = {name for part in parts for name in part.results}
    for part in parts:
        for name, marker in part.results.items():
            source = by_name.get(name)
            if source is None:
                raise TypeError(f"{composite}.{part.name}: there is no part {name!r} to wait for")
            if not _is_type_of(source.return_type, marker.kind):
                raise TypeError(
                    f"{composite}.{part.name}: {name} is FromPart[{_get_type_name(marker.kind)}], "
                    f"but that part returns {_get_type_name(source.return_type)}"
                )
        if clash := shared.intersection(parameter.name for parameter in part.inputs):
            raise TypeError(
                f"{composite}.{part.name}: the input {min(clash)!r} has the name of a part whose "
                "result another part takes; write FromPart[...], or give it another name"
            )
    if cycle := find_cycle({part.name: part.results for part in parts}):
        raise TypeError(f"{composite}: parts wait for each other: {' -> '.join(cycle)}")
    return tuple(
        replace(part, decodes_at_once=True) if part.name in shared else part for part in parts
    )


def list_essential_parts(parts: Sequence[BoundPart]) -> list[BoundPart]:
    """Return the parts whose error can fail the composite: required ones, and those they await."""
    by_name = {part.name: part for part in parts}
    found: dict[str, BoundPart] = {}
    unvisited = [part for part in parts if part.required]
    while unvisited:
        part = unvisited.pop()
        if part.name not in found:
            found[part.name] = part
            unvisited += [by_name[name] for name in part.results]
    return [part for part in parts if part.name in found]


def _is_type_of(return_type: object, field_type: object) -> bool:
    """Whether the return type fits the field type: a `User` fits `User` and `User | None`."""
    return return_type == field_type or (
        get_origin(field_type) in (Union, UnionType) and return_type in get_args(field_type)
    )


def _get_return_type(
    name: str, fetch: Fetch, hints: dict[str, Any], *, is_one_call: bool
) -> object:
    """Return the type that a function loads, without the PendingCall around it."""
    return_type = hints.get("return")
    if not is_one_call:
        return return_type
    if get_origin(return_type) is not PendingCall:
        raise TypeError(
            f"part {name}: {fetch!r} is not an async function, "
            "nor one that returns a PendingCall[...]"
        )
    (return_type,) = get_args(return_type)
    return NoneType if return_type is None else return_type


def _find_results(
    name: str, fetch: Fetch, parameters: Sequence[inspect.Parameter], *, is_one_call: bool
) -> dict[str, ResultOf]:
    """Find the parameters that are results of other parts, by the name of the part."""
    markers = {param.name: find_marker(param.annotation) for param in parameters}
    results = {taken: marker for taken, marker in markers.items() if marker is not None}
    if results and is_one_call:
        raise TypeError(
            f"part {name}: {fetch.__name__} takes the result of another part, but it cannot "
            "await it; write an async function"
        )
    return results


def _inspect_parameters(name: str, fetch: Fetch, hints: dict[str, Any]) -> list[inspect.Parameter]:
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


def _find_first_service(name: str, inputs: tuple[inspect.Parameter, ...]) -> str:
    """Return the service of the first client, for timeout errors; default to the part name."""
    for parameter in inputs:
        kind = getattr(parameter.annotation, "__origin__", None)
        if isinstance(kind, type) and issubclass(kind, ServiceClient):
            return kind.name
    return name


def _get_type_name(annotation: object) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
