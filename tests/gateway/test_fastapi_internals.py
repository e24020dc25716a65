"""One test per inner name of FastAPI and Starlette, and the effect of a change to it."""

import ast
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path as FilePath
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Security
from fastapi.exceptions import ResponseValidationError
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from pydantic import AliasChoices, BaseModel, Json, ValidationError
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from gateway.fastapi_internals import (
    Dependant,
    ModelField,
    RouteContext,
    RoutesSnapshot,
    SegmentConvertor,
    get_dependant,
    get_dependency_cache_key,
    get_route_path,
    get_routing_scope,
    get_security_scopes,
    get_validator,
    has_default_response_class,
    is_awaited,
    is_single_text,
    iter_audited_routes,
    iter_calls,
    iter_dependencies,
    iter_route_contexts,
    serialize_result,
    unwrap_handled_error,
)
from tests.architecture.sources import (
    PACKAGES,
    ROOT,
    get_relative_path,
    list_python_files,
    parse_file,
)
from tests.docs.test_dependencies import PROJECT

ADAPTER = "gateway/fastapi_internals.py"
INNER_MODULES = re.compile(r"(fastapi|starlette)\.(_\w+|dependencies(\.\w+)?)$")
INNER_NAMES = {"DefaultPlaceholder", "RouteContext", "iter_route_contexts", "serialize_response"}


class Thing(BaseModel):
    number: int


def import_inner_names(file: FilePath) -> Iterator[str]:
    for node in ast.walk(parse_file(file)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("fastapi", "starlette")
        ):
            if INNER_MODULES.match(node.module or ""):
                yield node.module or ""
            yield from (
                it.name for it in node.names if it.name.startswith("_") or it.name in INNER_NAMES
            )


def test_no_other_file_imports_an_inner_name() -> None:
    found = {
        get_relative_path(file)
        for file in list_python_files(*PACKAGES)
        if [*import_inner_names(file)]
    }
    assert found == {ADAPTER}


@pytest.mark.parametrize("name", ["fastapi", "starlette"])
def test_the_bounds_are_those_of_the_locked_version(name: str) -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        locked = re.search(rf"^{name}==(\d+)\.(\d+)\.", (ROOT / lock).read_text(), re.MULTILINE)
        assert locked
        major, minor = int(locked[1]), int(locked[2])
        bounds = f"{name}>={major}.{minor},<{major}.{minor + 1}"
        assert bounds in PROJECT["project"]["dependencies"]


async def coroutine(scopes: SecurityScopes) -> None: ...


async def generator() -> AsyncIterator[int]:
    yield 1


class CallsAsynchronously:
    async def __call__(self) -> None: ...


def route_of(endpoint: Any, path: str = "/{user_id}", **options: Any) -> RouteContext:
    app = FastAPI(openapi_url=None)
    app.add_api_route(path, endpoint, **options)
    return next(iter_route_contexts(app.routes))


def field_of(annotation: Any) -> ModelField:
    async def endpoint(value: Any) -> None: ...

    endpoint.__annotations__["value"] = annotation
    dependant: Dependant = route_of(endpoint).dependant
    return dependant.query_params[0]


def test_dependant() -> None:
    """The compiler, ownership, the audit and OpenAPI read a route's declarations from it."""

    async def endpoint(
        request: Request, user_id: int, scopes: SecurityScopes, n: int = 1
    ) -> None: ...

    dependant: Dependant = route_of(endpoint, dependencies=[Depends(generator)]).dependant
    assert type(dependant) is Dependant
    assert dependant.call is endpoint
    assert dependant.path == "/{user_id}"
    assert [it.name for it in dependant.path_params] == ["user_id"]
    assert [it.name for it in dependant.query_params] == ["n"]
    assert dependant.header_params == dependant.cookie_params == dependant.body_params == []
    assert [it.call for it in dependant.dependencies] == [generator]
    assert dependant.request_param_name == "request"
    assert dependant.security_scopes_param_name == "scopes"
    assert dependant.http_connection_param_name is None
    assert dependant.response_param_name is dependant.background_tasks_param_name is None
    assert (dependant.use_cache, dependant.concurrency) == (True, None)


def test_dependencies_come_in_the_order_of_the_calls() -> None:
    async def innermost() -> None: ...

    async def inner(_: Annotated[None, Depends(innermost)]) -> None: ...

    async def last() -> None: ...

    async def endpoint(
        user_id: int, _: Annotated[None, Depends(inner)], __: Annotated[None, Depends(last)]
    ) -> None: ...

    dependant: Dependant = route_of(endpoint).dependant
    assert list(iter_calls(dependant)) == [innermost, inner, last]
    pairs = [(outer.call, it.call) for outer, it in iter_dependencies(dependant)]
    assert pairs == [(inner, innermost), (endpoint, inner), (endpoint, last)]


def test_get_cache_key() -> None:
    """Without it a compiled route would call a dependency more or less often than FastAPI."""

    async def endpoint(
        a: Annotated[None, Security(coroutine, scopes=["a"])],
        a_again: Annotated[None, Security(coroutine, scopes=["a"])],
        b: Annotated[None, Security(coroutine, scopes=["b"])],
    ) -> None: ...

    a, a_again, b = map(get_dependency_cache_key, route_of(endpoint, "/").dependant.dependencies)
    assert a == a_again != b


def test_get_oauth_scopes() -> None:
    """Without it `requires` would check other scopes on a compiled route."""

    async def outer(inner: Annotated[None, Security(coroutine, scopes=["b", "a"])]) -> None: ...

    outer_dependant = route_of(
        coroutine, "/", dependencies=[Security(outer, scopes=["a"])]
    ).dependant.dependencies[0]
    assert get_security_scopes(outer_dependant) == ["a"]
    assert get_security_scopes(outer_dependant.dependencies[0]) == ["a", "b"]


def test_is_coroutine_callable() -> None:
    """Without it a compiled route would await what FastAPI runs in a thread."""
    assert is_awaited(coroutine)
    assert is_awaited(CallsAsynchronously())
    assert not is_awaited(CallsAsynchronously)
    assert not is_awaited(lambda: None)


def test_is_gen_callable_and_is_async_gen_callable() -> None:
    """Without them a compiled route would not close a dependency that yields."""

    def blocking_generator() -> Iterator[int]:
        yield 1

    assert not is_awaited(generator)
    assert not is_awaited(blocking_generator)


def test_model_field() -> None:
    """Parameters are read by its alias and its default."""
    field = field_of(Annotated[int, Query(alias="a-number")])
    assert type(field) is ModelField
    assert (field.name, field.alias, field.config) == ("value", "a-number", None)
    assert field.field_info.is_required()


@pytest.mark.parametrize("annotation", [list[int], Annotated[Json[int], Query()]])
def test_field_annotation_is_scalar(annotation: Any) -> None:
    """Without it a compiled route would read a list or JSON as one text."""
    assert is_single_text(field_of(int))
    assert is_single_text(field_of(int | None))
    assert not is_single_text(field_of(Annotated[annotation, Query()]))


def test_a_validation_alias_is_not_read_here() -> None:
    """FastAPI tries each choice in turn."""
    choices = Query(validation_alias=AliasChoices("a", "b"))
    assert not is_single_text(field_of(Annotated[int, choices]))


def test_type_adapter_of_a_field() -> None:
    """Without it neither compiled routes nor ownership could read a parameter."""
    validate = get_validator(field_of(Annotated[int, Query(le=5)]))
    assert validate("5") == 5
    with pytest.raises(ValidationError):
        validate("6")


def test_default_placeholder() -> None:
    """Without it a compiled route would send JSON where another response class was chosen."""
    assert has_default_response_class(route_of(coroutine, "/"))
    assert not has_default_response_class(
        route_of(coroutine, "/", response_class=PlainTextResponse)
    )


async def test_serialize_response() -> None:
    """It validates and serializes a result that is not an instance of the response model."""
    route = route_of(coroutine, "/", response_model=Thing)
    assert await serialize_result(route, {"number": "3", "surplus": 1}) == b'{"number":3}'
    with pytest.raises(ResponseValidationError):
        await serialize_result(route, {"number": "x"})


def test_iter_route_contexts_and_route_context() -> None:
    """They find the routes of included routers, with the prefix and dependencies of each."""
    router = APIRouter(dependencies=[Depends(generator)])
    router.add_api_route("/{number}", coroutine, methods=["PUT"])
    app = FastAPI(openapi_url=None)
    app.include_router(router, prefix="/in")
    (route,) = iter_route_contexts(app.routes)
    assert isinstance(route, RouteContext)
    assert (route.path, route.path_format, route.methods) == ("/in/{number}",) * 2 + ({"PUT"},)
    assert [it.call for it in route.dependant.dependencies] == [generator]
    assert type(route.original_route) is APIRoute
    assert route.path_regex.match("/in/3")
    assert [*route.param_convertors] == ["number"]


def test_low_priority_routes(tmp_path: FilePath) -> None:
    """Without them the audit would overlook `router.frontend(...)`."""
    app = FastAPI(openapi_url=None)
    router = APIRouter(dependencies=[Depends(generator)])
    router.frontend("/shop", directory=tmp_path)
    app.include_router(router)
    app.frontend("/", directory=tmp_path)
    own, included = iter_audited_routes(app.router)
    assert own.dependant.dependencies == []
    assert [it.call for it in included.dependant.dependencies] == [generator]


def test_routes_version_and_included_router(tmp_path: FilePath) -> None:
    """Without them, a route that is added to an included router is not audited."""
    app, outer, inner = FastAPI(), APIRouter(), APIRouter()
    outer.include_router(inner)
    app.include_router(outer)
    changes: list[Callable[[], object]] = [
        lambda: inner.add_api_route("/a", coroutine),
        lambda: inner.frontend("/shop", directory=tmp_path),
        lambda: app.include_router(APIRouter()),
        lambda: outer.routes.append(inner.routes[0]),
        lambda: inner.routes.__setitem__(0, APIRoute("/a", coroutine)),
    ]
    for change in changes:
        snapshot = RoutesSnapshot(app.router)
        assert snapshot.is_current()
        change()
        assert not snapshot.is_current()


def test_a_router_that_includes_itself_is_listed_once() -> None:
    app, router = FastAPI(), APIRouter()
    app.include_router(router)
    router.routes.append(app.router.routes[-1])
    assert RoutesSnapshot(app.router).is_current()


async def test_scope_of_an_included_route() -> None:
    """Without it ownership would overlook the path parameters that a router's dependencies read.

    `get_routing_scope` builds for compiled routes what `get_dependant` reads from the scope.
    """
    app = FastAPI(openapi_url=None)
    router = APIRouter()
    seen: list[Dependant] = []

    async def read_number(number: Annotated[int, Path()]) -> None: ...

    @router.get("/")
    async def endpoint(request: Request) -> None:
        seen.append(get_dependant(request.scope))

    app.include_router(router, prefix="/{number}", dependencies=[Depends(read_number)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app.test") as http:
        await http.get("/3/")
    (route,) = iter_route_contexts(app.routes)
    assert [it.call for it in seen[0].dependencies] == [read_number]
    assert seen[0] is route.dependant
    assert get_dependant(get_routing_scope(route)) is route.dependant


def test_scope_of_a_direct_route() -> None:
    """A route of the app itself has no effective route context."""
    route = route_of(coroutine, "/")
    assert get_routing_scope(route) == {"route": route.original_route, "endpoint": coroutine}
    assert get_dependant(get_routing_scope(route)) is route.dependant


def test_segment_convertor() -> None:
    """Without it a parameter would keep its escaped slash."""
    route = APIRoute("/a/{name}", lambda: None)
    assert type(route.param_convertors["name"]) is SegmentConvertor
    _, child = route.matches({"type": "http", "path": "/a/b%2Fc", "method": "GET"})
    assert child["path_params"] == {"name": "b/c"}


def test_segments_convertor() -> None:
    """Without it a parameter with several segments would keep its escaped slash."""
    route = APIRoute("/a/{rest:path}", lambda: None)
    _, child = route.matches({"type": "http", "path": "/a/b%2Fc/d", "method": "GET"})
    assert child["path_params"] == {"rest": "b/c/d"}


def test_get_route_path() -> None:
    """Without it a body's limit would be looked up under a path with the prefix of a mount."""
    assert get_route_path({"path": "/api/orders", "root_path": "/api"}) == "/orders"
    assert get_route_path({"path": "/apiary", "root_path": "/api"}) == "/apiary"


async def test_unwrap_handled_error() -> None:
    """Without it a stream that fails before its first byte is a 500, whatever error it raises."""
    app = FastAPI(openapi_url=None)
    raised: list[BaseException] = []

    async def respond(_request: Request, _error: Exception) -> PlainTextResponse:
        return PlainTextResponse("too late")

    app.add_exception_handler(LookupError, respond)

    @app.get("/")
    async def endpoint() -> StreamingResponse:
        async def fail() -> AsyncIterator[bytes]:
            yield b"half"
            raise LookupError

        return StreamingResponse(fail())

    async def catch(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except RuntimeError as error:
            raised.append(unwrap_handled_error(error))
            await send({"type": "http.response.body"})

    transport = httpx.ASGITransport(catch)
    async with httpx.AsyncClient(transport=transport, base_url="http://app.test") as http:
        await http.get("/")
    assert type(raised[0]) is LookupError
    other = RuntimeError("another")
    assert unwrap_handled_error(other) is other
