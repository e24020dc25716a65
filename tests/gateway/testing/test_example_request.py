"""Valid requests are built from the bounds and examples that parameters declare."""

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from fastapi import Cookie, FastAPI, Header, Path, Query

from gateway.auth.route_access import Requires
from gateway.route_list import RouteSummary
from gateway.testing.contract_cases import ContractRoute
from gateway.testing.example_request import ExampleRequest, build_example


class Color(StrEnum):
    RED = "red"


def build(annotation: Any) -> ExampleRequest:
    """Build the request of a route with one required query parameter."""
    app = FastAPI()

    @app.get("/things")
    async def list_things(value: annotation) -> None: ...

    return build_example(describe(app, "/things"), "42", {})


def describe(app: FastAPI, path: str, owner: str | None = None) -> ContractRoute:
    document = app.openapi()
    summary = RouteSummary(
        method="GET",
        path=path,
        path_format=path,
        access=Requires(("a",), owner),
        limits=(),
        slowapi_limits=(),
        services=(),
        composites=(),
        file="",
        line=0,
    )
    operation = document["paths"][path]["get"]
    return ContractRoute(summary, True, operation, document["components"]["schemas"])


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 1),
        (Annotated[int, Query(ge=5)], 5),
        (Annotated[int, Query(gt=5, lt=7)], 6),
        (Annotated[int, Query(le=-3)], -3),
        (Annotated[float, Query(ge=0, le=0.5)], 0.5),
        (str, "1"),
        (Annotated[str, Query(min_length=4)], "1111"),
        (Annotated[str, Query(pattern="^[A-Z]$", examples=["Q"])], "Q"),
        (Annotated[str, Query(pattern="^[A-Z]$", openapi_examples={"a": {"value": "Z"}})], "Z"),
        (Literal["b", "c"], "b"),
        (Color, "red"),
        (bool, True),
        (UUID, "6ba7b810-9dad-41d1-80b4-00c04fd430c8"),
        (Annotated[list[int], Query()], [1]),
        (int | None, 1),
    ],
)
def test_a_required_parameter_gets_a_valid_value(annotation: Any, value: object) -> None:
    assert build(annotation).query == {"value": value}


def test_an_optional_parameter_is_left_out() -> None:
    app = FastAPI()

    @app.get("/things")
    async def list_things(limit: int = 3) -> None: ...

    assert build_example(describe(app, "/things"), "42", {}).query == {}


def test_the_owner_is_the_user_and_a_value_is_quoted() -> None:
    app = FastAPI()

    @app.get("/users/{user_id}/{name}")
    async def get_thing(
        user_id: int, name: Annotated[str, Path(pattern="/", examples=["a/b"])]
    ) -> None: ...

    route = describe(app, "/users/{user_id}/{name}", owner="user_id")
    bodies = {"GET /users/{user_id}/{name}": {"n": 1}}
    assert build_example(route, "42", bodies) == ExampleRequest("/users/42/a%2Fb", body={"n": 1})


def test_a_pattern_without_an_example_is_an_error_that_says_what_to_add() -> None:
    with pytest.raises(AssertionError, match=r"GET /things: give the parameter value an example"):
        build(Annotated[str, Query(pattern="^[A-Z]$")])


def test_required_headers_and_cookies_are_sent() -> None:
    app = FastAPI()

    @app.get("/things")
    async def list_things(
        tenant: Annotated[int, Header()],
        one: Annotated[str, Cookie()],
        two: Annotated[str, Cookie()],
    ) -> None: ...

    example = build_example(describe(app, "/things"), "42", {})
    assert example.headers == {"tenant": "1", "cookie": "one=1; two=1"}


@pytest.mark.parametrize("bounds", [{"gt": 0, "lt": 1}, {"multiple_of": 7}])
def test_a_number_that_the_bounds_do_not_give_needs_an_example(bounds: dict[str, float]) -> None:
    with pytest.raises(AssertionError, match="give the parameter value an example"):
        build(Annotated[float, Query(**bounds)])  # type: ignore[arg-type]


def test_a_request_that_is_refused_needs_no_example() -> None:
    app = FastAPI()

    @app.get("/things/{name}")
    async def get_thing(name: Annotated[str, Path(pattern="^[A-Z]$")]) -> None: ...

    example = build_example(describe(app, "/things/{name}"), "42", {}, is_refused=True)
    assert example.path == "/things/1"
