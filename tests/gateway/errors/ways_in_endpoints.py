"""Exceptions of any kind in an endpoint, and the exception handlers of an application."""

import asyncio
import sys
from typing import NoReturn

from fastapi import FastAPI, HTTPException, Request
from pydantic import TypeAdapter
from starlette.exceptions import WebSocketException
from starlette.responses import PlainTextResponse, Response

from gateway.errors.tree import Forbidden, QuotaExceeded
from gateway.upstream import UpstreamTimeout, UpstreamUnavailable
from tests.gateway.errors.way import BLANK, OURS, SURROGATE, TIMEOUT, Thing, Way, expect, raising


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class OwnBaseException(BaseException):
    """Neither an Exception nor one of Python's."""


class Explained(Exception):
    """An error that the application has a handler for."""


class HandlerFails(Exception):
    """An error whose handler fails."""


class HandlerRefuses(Exception):
    """An error whose handler raises an expected error."""


class HandlerExits(Exception):
    """An error whose handler calls `sys.exit`."""


def install_handlers(app: FastAPI) -> None:
    """Register the handlers of the application."""

    async def explain(_request: Request, _error: Exception) -> Response:
        return PlainTextResponse("explained", 409)

    async def fail(_request: Request, _error: Exception) -> Response:
        raise ZeroDivisionError("the handler fails")

    def refuse(_request: Request, _error: Exception) -> Response:
        raise HTTPException(418, "short and stout")

    async def leave(_request: Request, _error: Exception) -> Response:
        sys.exit("the handler exits")

    app.add_exception_handler(Explained, explain)
    app.add_exception_handler(HandlerFails, fail)
    app.add_exception_handler(HandlerRefuses, refuse)
    app.add_exception_handler(HandlerExits, leave)


async def recurse() -> Thing:
    return await recurse()


async def await_a_cancelled_task() -> Thing:
    task = asyncio.create_task(asyncio.sleep(10))
    task.cancel()
    await task
    return Thing(number=1)


async def gather_calls() -> Thing:
    async with asyncio.TaskGroup() as group:
        group.create_task(_time_out())
        group.create_task(asyncio.sleep(10))
    return Thing(number=1)


async def _time_out() -> None:
    raise UpstreamTimeout("items", "GET /")


def _invalid(kind: type, value: object) -> NoReturn:
    TypeAdapter(kind).validate_python(value)
    raise AssertionError


ENDPOINTS = [
    Way("an exception", raising(lambda: RuntimeError("the password is hunter2"))),
    Way("a lookup error", raising(lambda: KeyError("hunter2"))),
    Way("an OSError", raising(lambda: OSError("hunter2"))),
    Way("a TimeoutError", raising(TimeoutError)),
    Way("an error that has no text", raising(Unprintable)),
    Way("a surrogate in the text", raising(lambda: ValueError(SURROGATE))),
    Way("a recursion", recurse),
    Way("StopIteration", raising(StopIteration)),
    Way("StopAsyncIteration", raising(StopAsyncIteration)),
    Way("WebSocketException", raising(lambda: WebSocketException(1008))),
    Way("a pydantic error", raising(lambda: _invalid(int, "x"))),
    # Base exceptions: one request does not stop the process.
    Way("CancelledError", raising(asyncio.CancelledError)),
    Way("a cancelled task", await_a_cancelled_task),
    Way("KeyboardInterrupt", raising(KeyboardInterrupt)),
    Way("sys.exit", raising(lambda: SystemExit(3))),
    Way("a base exception", raising(OwnBaseException)),
    # Groups.
    Way("a group", raising(lambda: ExceptionGroup("all", [KeyError("a"), ValueError("b")]))),
    Way("a task group whose call fails", gather_calls, **TIMEOUT),
    Way(
        "a group of expected errors",
        raising(
            lambda: ExceptionGroup(
                "all", [ExceptionGroup("in", [UpstreamTimeout("items", "GET /")]), Forbidden()]
            )
        ),
        **TIMEOUT,
    ),
    Way(
        "a group with an expected error",
        raising(lambda: ExceptionGroup("all", [UpstreamTimeout("items", "GET /"), KeyError("a")])),
    ),
    Way(
        "a group with a base exception",
        raising(lambda: BaseExceptionGroup("all", [Forbidden(), SystemExit()])),
    ),
    # Expected errors.
    Way("Forbidden", raising(lambda: Forbidden(scopes=["a"])), **expect(403, OURS + "forbidden")),
    Way(
        "QuotaExceeded",
        raising(lambda: QuotaExceeded(["chat"], 3)),
        **expect(
            429,
            "https://iana.org/assignments/http-problem-types#quota-exceeded",
            headers={"retry-after": "3"},
        ),
    ),
    Way(
        "UpstreamUnavailable",
        raising(lambda: UpstreamUnavailable("items", "GET /")),
        **expect(503, OURS + "upstream-unavailable", headers={"retry-after": "1"}),
    ),
    # Handlers of the application.
    Way("handler", raising(Explained), **expect(409, None)),
    Way("handler fails", raising(HandlerFails)),
    Way("handler refuses", raising(HandlerRefuses), **expect(418, BLANK)),
    Way("handler exits", raising(HandlerExits)),
]
