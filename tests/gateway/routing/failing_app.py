"""An app whose dependencies fail in every way, selected by the request."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, HTTPException, Path, Query
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, field_serializer
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.auth import Caller, Principal, owner, requires
from gateway.auth.verifier import TokenVerifier
from gateway.errors.handlers import install_error_handlers
from gateway.errors.tree import (
    Forbidden,
    IdentityUnavailable,
    QuotaExceeded,
    RateLimiterUnavailable,
    Unauthenticated,
)
from gateway.resources import Resource, Resources
from gateway.upstream.errors import UpstreamTimeout

calls: list[object] = []


class Answered(Exception):
    """An error the app has a handler for."""


class AnsweredByRaising(Exception):
    """An error whose handler raises an error that has a handler."""


class AnsweredByFailing(Exception):
    """An error whose handler raises an error that has none."""


class Missing:
    """A resource that is not open."""


class Thing(BaseModel):
    """A response model that can fail to serialize."""

    number: int
    caller: str = ""

    @field_serializer("number")
    def serialize_number(self, number: int) -> int:
        if number == 13:
            raise ArithmeticError("13 has no JSON")
        return number


class FailingResponse(Response):
    """A response that fails before or after its head is sent."""

    def __init__(self, error: Exception, *, started: bool) -> None:
        super().__init__()
        self._error = error
        self._started = started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise self._error


FAILURES: dict[str, Callable[[], Exception]] = {
    "unauthenticated": lambda: Unauthenticated("no_token", token_sent=False),
    "forbidden": lambda: Forbidden(scopes=["x"]),
    "quota": lambda: QuotaExceeded(["dashboards"], 7.5),
    "identity": lambda: IdentityUnavailable(3),
    "limiter": lambda: RateLimiterUnavailable(1),
    "upstream": lambda: UpstreamTimeout("orders", "recent"),
    "not found": lambda: HTTPException(404, "not here", {"x-error": "1"}),
    "teapot": lambda: HTTPException(418, "a status with a handler"),
    "http 500": lambda: HTTPException(500, "an HTTP error, not an unknown one"),
    "no content": lambda: HTTPException(204),
    "validation": lambda: RequestValidationError(
        [{"loc": ("body", "x"), "msg": "no", "type": "t", "input": 1}]
    ),
    "answered": lambda: Answered("answered"),
    "answered by raising": lambda: AnsweredByRaising("twice"),
    "answered by failing": lambda: AnsweredByFailing("thrice"),
    "unknown": lambda: KeyError("unknown"),
    "group": lambda: ExceptionGroup("several", [KeyError("a"), Answered("b")]),
}

RESULTS: dict[str, Callable[[], Any]] = {
    "response": lambda: PlainTextResponse("plain", 202, {"x-kind": "plain"}),
    "response fails early": lambda: FailingResponse(KeyError("early"), started=False),
    "response fails late": lambda: FailingResponse(KeyError("late"), started=True),
    "response raises early": lambda: FailingResponse(Answered("early"), started=False),
    "response raises late": lambda: FailingResponse(Answered("late"), started=True),
    "problem early": lambda: FailingResponse(Forbidden(scopes=["x"]), started=False),
    "no model": lambda: {"number": "no number"},
    "no JSON": lambda: Thing(number=13),
    "dict": lambda: {"number": 3, "surplus": 1},
}

# Keys that FastAPI adds to the scope for itself; all others are equal on both paths.
PLUMBING = {
    "starlette.exception_handlers",
    "fastapi_middleware_astack",
    "fastapi_inner_astack",
    "fastapi_function_astack",
}


class Tokens(TokenVerifier):
    """Accepts "42-a+b" as a token of user 42 with the scopes a and b."""

    async def verify(self, token: str) -> Principal:
        calls.append(("verify", token))
        if token == "bad":
            raise Unauthenticated("bad_signature")
        if token == "later":
            raise IdentityUnavailable(7)
        user, _, scopes = token.partition("-")
        names = frozenset(scopes.replace("_", ":").split("+"))
        return Principal("iss", user, names, user, None, None, 4e9)

    def health(self) -> dict[str, str]:
        return {}


async def observe(connection: HTTPConnection) -> None:
    """Record every object that routing passes to a dependency."""
    scope = connection.scope
    calls.append(
        {
            "class": type(connection),
            "route": id(scope["route"]),
            "endpoint": id(scope["endpoint"]),
            "router": id(scope["router"]),
            "app": id(scope["app"]),
            "context": id(scope.get("fastapi", {}).get("effective_route_context")),
            "path_params": dict(connection.path_params),
            "path_params class": type(scope["path_params"]),
            "url": str(connection.url_for("get_probe", user_id="7", number="8")),
            "keys": sorted(scope.keys() - PLUMBING - {"fastapi"}),  # its context is above
        }
    )


def fail(place: str) -> Any:
    """A dependency that fails if the query asks for it at this place."""

    async def dependency(
        connection: Request, kind: Annotated[str | None, Query(alias=place)] = None
    ) -> str:
        calls.append((place, id(connection.scope["route"])))
        if kind in FAILURES:
            error = FAILURES[kind]()
            raise error
        return place

    return Depends(dependency)


def refuse_seven(number: int) -> int:
    """A validator that raises an error of the gateway, not one of validation."""
    if number == 7:
        raise Forbidden(scopes=["seven"])
    if number == 8:
        raise KeyError("eight")
    return number


Number = Annotated[int, Path(ge=0), AfterValidator(refuse_seven)]

inner = APIRouter(dependencies=[fail("third"), Depends(observe)])


@inner.get("/probe/{number}", dependencies=[owner("user_id"), fail("fourth")])
async def get_probe(
    *,
    number: Number,
    caller: Caller,
    n: Annotated[int, Query(ge=1, le=5)] = 2,
    x_ratio: Annotated[float, Header()] = 0.5,
    session: Annotated[int | None, Cookie()] = None,
    result: str | None = None,
    last: Annotated[str, fail("last")],
) -> Thing:
    calls.append(("probe", number, n, repr(x_ratio), session, last))  # nan differs from itself
    if result in RESULTS:
        made: Thing = RESULTS[result]()
        return made
    return Thing(number=number, caller=caller.subject)


@inner.get("/missing")
async def get_missing(missing: Resource[Missing], last: Annotated[str, fail("last")]) -> Thing:
    return Thing(number=0)


@inner.get("/missing/last")
async def get_missing_last(last: Annotated[str, fail("last")], missing: Resource[Missing]) -> Thing:
    return Thing(number=0)


middle = APIRouter(dependencies=[fail("second")])
middle.include_router(inner, prefix="/{user_id}", dependencies=[requires("a")])


async def read_user(user_id: int) -> int:
    """Reads the path parameter of an inclusion as a number."""
    return user_id


async def answer(_: Request, error: Exception) -> Response:
    return PlainTextResponse(f"answered {error}", 409)


async def answer_teapot(_: Request, error: Exception) -> Response:
    return PlainTextResponse("a teapot", 418, {"x-kind": "tea"})


async def raise_another(_: Request, error: Exception) -> Response:
    raise HTTPException(418, str(error))


async def fail_anew(_: Request, error: Exception) -> Response:
    raise ZeroDivisionError(str(error))


def build_app() -> FastAPI:
    """The app: `/in/{user_id}/probe/{number}` three inclusions deep, and `/direct/{user_id}`."""
    app = FastAPI()
    install_error_handlers(app)
    app.state.resources = Resources()
    app.state.resources[TokenVerifier] = Tokens()
    app.add_exception_handler(Answered, answer)
    app.add_exception_handler(AnsweredByRaising, raise_another)
    app.add_exception_handler(AnsweredByFailing, fail_anew)
    app.add_exception_handler(418, answer_teapot)
    app.include_router(middle, prefix="/in", dependencies=[fail("first")])

    guards: list[Any] = [fail("first"), Depends(observe), requires("a"), owner("user_id")]

    @app.get("/direct/{user_id}", dependencies=guards)
    async def get_direct(user_id: int, n: Annotated[int, Query(le=5)] = 1) -> Thing:
        calls.append(("direct", user_id, n))
        return Thing(number=user_id)

    unread = APIRouter()

    @unread.get("/unread", dependencies=[requires("a"), owner("user_id")])
    async def get_unread() -> Thing:
        return Thing(number=1)

    # The number is read by the inclusion alone, not by the route that `owner` stands on.
    app.include_router(unread, prefix="/read/{user_id}", dependencies=[Depends(read_user)])
    return app
