"""An app with a route of every kind, which records the arguments of its dependencies."""

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote

from fastapi import (
    APIRouter,
    Cookie,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Query,
    Request,
    Security,
)
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from pydantic import AliasChoices, BaseModel, Field, computed_field
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gateway.resources import Resource, ResourceLookup, Resources
from gateway.routing.response_endpoint import ResponseEndpoint


class Shelf:
    """A resource that the lifespan would open."""

    size = 7


class Nothing:
    """A resource that is not open."""


class Thing(BaseModel):
    """A response model with every kind of field that affects serialization."""

    number: int
    text: str | None = None
    ratio: float = 0.5
    inner: list["Thing"] = []
    renamed: int = Field(default=3, serialization_alias="re-named")

    @computed_field
    def double(self) -> int:
        """Twice the number."""
        return 2 * self.number


class Refused(Exception):
    """An error the app has a handler for."""


Number = Annotated[int, Query(ge=1, le=5)]
calls: list[object] = []


async def count(request: HTTPConnection) -> int:
    """Count the call, which happens once per request."""
    calls.append("count")
    return len(request.scope["path"])


async def join_scopes(scopes: SecurityScopes, counted: Annotated[int, Depends(count)]) -> str:
    """Record the scopes that the route requires."""
    calls.append(("scoped", tuple(scopes.scopes), counted))
    return "+".join(scopes.scopes)


async def refuse(refused: bool = False) -> None:
    """Raise if the query says so."""
    calls.append(("refuse", refused))
    if refused:
        raise Refused


async def open_and_close() -> AsyncIterator[int]:
    """A dependency that FastAPI has to close."""
    yield 1


def blocking() -> int:
    """A dependency that FastAPI gives to a thread."""
    return 2


router = APIRouter(prefix="/things", dependencies=[Depends(refuse)])


@router.get("/first/me")
async def get_first_me() -> Thing:
    return Thing(number=-1)


@router.get("/first/{number}", dependencies=[Security(join_scopes, scopes=["a", "b"])])
async def get_first(
    *,
    number: int,
    counted: Annotated[int, Depends(count)],
    joined_scopes: Annotated[str, Security(join_scopes, scopes=["c"])],
    shelf: Resource[Shelf],
    text: str | None = None,
    n: Number = 2,
    alias: Annotated[float, Query(alias="an-alias")] = 1.5,
) -> Thing:
    calls.append(("first", number, counted, joined_scopes, text, n, alias))
    return Thing(number=number + shelf.size, text=text, ratio=alias, inner=[Thing(number=n)])


@router.get("/created", status_code=201)
async def get_created(request: Request, name: str) -> Thing:
    return Thing(number=len(request.url.path), text=name, ratio=float("inf"))


@router.get("/dict", response_model=Thing)
async def get_dict(number: str) -> dict[str, object]:
    return {"number": number, "surplus": 1}


@router.get("/list")
async def get_list(n: Number) -> list[Thing]:
    return [Thing(number=it) for it in range(n)]


@router.get("/response", response_model=Thing)
async def get_response(plain: bool = True) -> Response:
    return PlainTextResponse("plain") if plain else JSONResponse({}, 418, {"x-kind": "tea"})


@router.get("/error")
async def get_error(status: int) -> Thing:
    raise HTTPException(status, "said so", {"x-error": "1"})


@router.get("/many")
async def get_many(n: Annotated[list[int], Query()]) -> Thing:
    return Thing(number=sum(n))


@router.get("/header")
async def get_header(x_number: Annotated[int, Header()] = 4) -> Thing:
    return Thing(number=x_number)


@router.get("/headers")
async def get_headers(x_number: Annotated[list[int], Header()]) -> Thing:
    return Thing(number=sum(x_number))


@router.get("/cookie")
async def get_cookie(
    session: Annotated[str, Cookie(max_length=4)], n: Annotated[int | None, Cookie()] = None
) -> Thing:
    return Thing(number=n or 0, text=session)


@router.get("/choices")
async def get_choices(n: Annotated[int, Query(validation_alias=AliasChoices("a", "b"))]) -> Thing:
    return Thing(number=n)


async def first_use(uncached: Annotated[int, Depends(count, use_cache=False)]) -> int:
    """Depends on a call that is made anew for each use."""
    return uncached


async def second_use(first: Annotated[int, Depends(first_use)]) -> int:
    """Depends on a cached call, which depends on an uncached one."""
    return first


@router.get("/uncached", dependencies=[Depends(first_use), Depends(second_use)])
async def get_uncached(first: Annotated[int, Depends(first_use)]) -> Thing:
    return Thing(number=first)


class Built:
    """A class as a dependency: FastAPI builds it in a thread and does not call the instance."""

    async def __call__(self) -> int:
        raise AssertionError


@router.get("/built")
async def get_built(built: Annotated[Built, Depends(Built)]) -> Thing:
    return Thing(number=1)


class OwnRoute(APIRoute):
    """A route class of the app, which may handle requests differently."""


own_routes = APIRouter(route_class=OwnRoute)


@own_routes.get("/own")
async def get_own() -> Thing:
    return Thing(number=2)


router.include_router(own_routes)


@router.get("/closing")
async def get_closing(one: Annotated[int, Depends(open_and_close)]) -> Thing:
    return Thing(number=one)


@router.get("/thread")
async def get_thread(two: Annotated[int, Depends(blocking)]) -> Thing:
    return Thing(number=two)


@router.get("/rest/{rest:path}")
async def get_rest(rest: str) -> Thing:
    return Thing(number=0, text=rest)


class Echo(ResponseEndpoint):
    """An endpoint that always returns a Response, as that of a proxied route."""

    async def __call__(self, request: Request) -> Response:
        """Return what the route has read from the request."""
        calls.append((request.method, request.path_params))
        return PlainTextResponse(
            repr(request.path_params), 299, {"X-Path": quote(request.url.path)}
        )


router.add_api_route(
    "/raw/{name}/{rest:path}",
    Echo(),
    methods=["GET", "POST", "OPTIONS", "PROPFIND"],
    dependencies=[Depends(refuse), Security(join_scopes, scopes=["a"])],
    response_class=Response,
    response_model=None,
)


@router.get("/excluded", response_model_exclude_none=True)
async def get_excluded() -> Thing:
    return Thing(number=0)


@router.get("/shelved", dependencies=[Depends(ResourceLookup(Shelf))])
async def get_shelved() -> Thing:
    return Thing(number=0)


@router.get("/unopened")
async def get_unopened(nothing: Resource[Nothing]) -> Thing:
    return Thing(number=0)


@router.post("/first/{number}")
async def post_first(number: int) -> Thing:
    return Thing(number=-number)


outer = APIRouter()


@outer.get("/")
async def get_root(
    *, texts: str = "none", n: Annotated[int, Query(default_factory=lambda: 3)]
) -> Thing:
    return Thing(number=n, text=texts)


@outer.get("/{kind}/of/{number}")
async def get_any(kind: str, number: int) -> Thing:
    return Thing(number=number, text=kind)


@outer.get("/things/of/{number}")
async def get_hidden(number: int) -> Thing:
    return Thing(number=-number)


@outer.get("/others/of/{number}/more")
async def get_more(number: int) -> Thing:
    return Thing(number=number + 1)


async def answer_refused(_: Request, __: Exception) -> Response:
    """The app's own handler."""
    return PlainTextResponse("refused", 409)


def build_app() -> FastAPI:
    """The app, without a dispatcher."""
    app = FastAPI()
    app.state.resources = Resources()
    app.state.resources[Shelf] = Shelf()
    app.add_exception_handler(Refused, answer_refused)
    app.include_router(router)
    app.include_router(outer)
    return app


COMPILED = {
    "/things/rest/{rest:path}",
    "/things/raw/{name}/{rest:path}",
    "/things/first/me",
    "/things/first/{number}",
    "/things/created",
    "/things/dict",
    "/things/list",
    "/things/response",
    "/things/error",
    "/things/header",
    "/things/cookie",
    "/things/uncached",
    "/things/shelved",
    "/things/unopened",
    "/",
    "/{kind}/of/{number}",
    "/things/of/{number}",
    "/others/of/{number}/more",
}
