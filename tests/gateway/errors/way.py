"""One way to fail: the code of an application, and the response and the log that must follow."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, field_serializer

from gateway.auth import public
from gateway.resources import Upstream
from tests.gateway.errors.served import Items

OURS = "urn:lockgate:problem:"
INTERNAL, INVALID, BLANK = OURS + "internal-error", OURS + "invalid-request", "about:blank"
SURROGATE = "\ud800"


@dataclass(frozen=True)
class Way:
    """A way to fail, and the response that the client must get.

    `type` is the problem type; None for a response without a problem document. `is_unexpected`
    says that the log must have one traceback, with `event`. `is_broken` says that the connection
    must end.
    """

    name: str
    endpoint: Callable[..., Any]
    status: int = 500
    type: str | None = INTERNAL
    is_unexpected: bool = True
    is_broken: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    detail: str | None = None
    event: str = "request.failed"


class Thing(BaseModel):
    """The response model of every route."""

    number: int

    @field_serializer("number")
    def serialize_number(self, number: int) -> int:
        if number == 13:
            raise ArithmeticError("13 has no JSON")
        return number


def raising(make: Callable[[], BaseException]) -> Callable[..., Any]:
    async def endpoint() -> Thing:
        raise make()

    return endpoint


def returning(make: Callable[[], Any]) -> Callable[..., Any]:
    async def endpoint() -> Thing:
        made: Thing = make()
        return made

    return endpoint


def calling(call: Callable[[Items], Awaitable[Any]]) -> Callable[..., Any]:
    async def endpoint(items: Upstream[Items]) -> Thing:
        await call(items)
        return Thing(number=1)

    return endpoint


def expect(status: int, type: str | None, **expected: Any) -> dict[str, Any]:  # noqa: A002 - RFC 9457's name
    return {"status": status, "type": type, "is_unexpected": False, **expected}


TIMEOUT = expect(504, OURS + "upstream-timeout")
CALLERS = expect(422, INVALID)


COMPILED_PATH, GENERAL_PATH = "/compiled", "/general"


def build_router(way: Way) -> APIRouter:
    """Return a router with the way on a route that is compiled if it can be, and on a general one.

    A dependency in a thread keeps a route from being compiled.
    """
    router = APIRouter(dependencies=[public("a test")])
    returned = way.endpoint.__annotations__.get("return")
    model = returned if isinstance(returned, type) else Thing
    router.add_api_route(COMPILED_PATH, way.endpoint, response_model=model)
    general = [Depends(_block)]
    router.add_api_route(GENERAL_PATH, way.endpoint, response_model=model, dependencies=general)
    return router


def _block() -> None:
    """Run in a thread."""
