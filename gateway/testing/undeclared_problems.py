"""Finds the problems of services that a route passes on without declaring them with `raises`."""

from collections.abc import Iterator
from typing import cast

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, ExceptionHandler, Scope

from gateway.fastapi_internals import get_dependant
from gateway.openapi.route_calls import list_raised_problems
from gateway.upstream.problem import UpstreamProblem


class UndeclaredProblem(AssertionError):
    """A problem of a service that the OpenAPI document does not list for the route."""


def record_undeclared_problems(app: FastAPI) -> list[UndeclaredProblem]:
    """Wrap the exception handlers of `app`; return the list to which they add what they find."""
    found: list[UndeclaredProblem] = []
    for kind in (UpstreamProblem, ExceptionGroup):
        handler = _find_handler(app, kind)
        app.add_exception_handler(kind, _wrap(handler, found))
    return found


def _find_handler(app: FastAPI, kind: type[Exception]) -> ExceptionHandler:
    """Return the handler of a class of errors, or of the nearest base class, as Starlette does."""
    handlers = app.exception_handlers
    return next(handlers[base] for base in kind.__mro__ if base in handlers)


def _wrap(handler: ExceptionHandler, found: list[UndeclaredProblem]) -> ExceptionHandler:
    async def check_and_respond(connection: HTTPConnection, error: Exception) -> ASGIApp:
        if connection.scope["type"] == "http":  # OpenAPI has no WebSocket routes
            found.extend(_iter_undeclared(error, connection.scope))
        return await handler(connection, error)  # type: ignore[arg-type, misc, no-any-return]

    return cast("ExceptionHandler", check_and_respond)


def _iter_undeclared(error: Exception, scope: Scope) -> Iterator[UndeclaredProblem]:
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _iter_undeclared(inner, scope)
    elif isinstance(error, UpstreamProblem):
        name = type(error).__name__
        if type(error) not in list_raised_problems(get_dependant(scope)):
            yield UndeclaredProblem(
                f"{scope['method']} {scope['path']} passes on {name} ({error.status}), but does "
                f"not declare it. Put @raises({name}) on the endpoint, the dependency or the part "
                "that makes the call, so that the OpenAPI document lists it."
            )
