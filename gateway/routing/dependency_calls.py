"""What a route depends on, laid out as a list of calls in the order in which FastAPI makes them.

What the lifespan opened takes no call of its own: it is looked up for the call that asks for it.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any

from fastapi.dependencies.models import Dependant, _get_cache_key, _get_oauth_scopes
from fastapi.security import SecurityScopes

from gateway.resources import Opened
from gateway.routing.parameters import NotCompilable, RouteParameter, inputs_of


@dataclass(frozen=True, slots=True)
class DependencyCall:
    """One call, and what each of its keywords is given.

    That is what never changes, the request itself, what is open of a type, what the request
    says, and what an earlier step, by its place in the list, came to.
    """

    call: Callable[..., Awaitable[Any]]
    settled: dict[str, object]
    requests: tuple[str, ...]
    opened: tuple[tuple[str, type], ...]
    inputs: tuple[tuple[str, RouteParameter], ...]
    results: tuple[tuple[str, int], ...]


def dependency_calls_of(dependant: Dependant) -> tuple[DependencyCall, ...]:
    """The calls behind an endpoint, itself the last; each is made once, as FastAPI would.

    Raises:
        Unsettled: something in it is more than a coroutine function of the path, the query, the
            connection and other such functions.
    """
    steps: list[DependencyCall] = []
    _lay_out(dependant, steps, {})
    return tuple(steps)


def _lay_out(dependant: Dependant, steps: list[DependencyCall], known: dict[Any, int]) -> int:
    """Append the calls a dependant needs and then its own; gives the place of its result."""
    results, opened = [], []
    for inner in dependant.dependencies:
        if isinstance(inner.call, Opened):
            if inner.name is None:
                raise NotCompilable("something open is asked for, but given to nobody")
            opened.append((inner.name, inner.call.kind))
            continue
        key = _get_cache_key(dependant=inner)
        index = known.get(key) if inner.use_cache else None
        if index is None:
            index = _lay_out(inner, steps, known)
            known.setdefault(key, index)
        if inner.name is not None:
            results.append((inner.name, index))
    for reason in _obstacles(dependant):
        raise NotCompilable(f"{dependant.call}: {reason}")
    names = (dependant.http_connection_param_name, dependant.request_param_name)
    steps.append(
        DependencyCall(
            call=dependant.call,  # type: ignore[arg-type]  # a coroutine function, as seen above
            settled=_settled(dependant),
            requests=tuple(name for name in names if name is not None),
            opened=tuple(opened),
            inputs=tuple((read.name, read) for read in inputs_of(dependant)),
            results=tuple(results),
        )
    )
    return len(steps) - 1


def _settled(dependant: Dependant) -> dict[str, object]:
    if dependant.security_scopes_param_name is None:
        return {}
    scopes = SecurityScopes(scopes=_get_oauth_scopes(dependant=dependant))
    return {dependant.security_scopes_param_name: scopes}


def _obstacles(dependant: Dependant) -> Iterator[str]:
    call = dependant.call
    if not (iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None))):  # noqa: B004
        yield "is no coroutine function"
    if dependant.concurrency is not None:
        yield "is called so many times at once only"
    if dependant.header_params or dependant.cookie_params or dependant.body_params:
        yield "reads more than the path and the query"
    if dependant.response_param_name or dependant.background_tasks_param_name:
        yield "asks for the response or for background tasks"
