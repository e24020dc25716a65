"""A request that fits a compiled route takes it; any other goes on to FastAPI."""

import gc

import pytest
from starlette.middleware.cors import CORSMiddleware

from gateway.testing import lockgate
from tests.gateway.routing import example_app
from tests.gateway.routing.comparison import TwoPaths


@pytest.fixture(scope="module")
def paths() -> TwoPaths:
    """The app with a route of every kind."""
    return TwoPaths(example_app.build_app(), example_app.calls)


@pytest.mark.parametrize(
    "target",
    [
        "/things/first/me",
        "/things/first/35",
        "/things/first/35?text=a%20b&n=5&an-alias=2.25",
        "/things/first/35?text=&n=1&n=3",
        "/things/first/35?refused=true",
        "/things/created?name=x",
        "/things/dict?number=4",
        "/things/dict?number=four",
        "/things/list?n=3",
        "/things/response",
        "/things/response?plain=0",
        "/things/error?status=404",
        "/things/error?status=204",
        "/things/header",
        "/things/uncached",
        "/things/shelved",
        "/",
        "/?n=1&texts=x",
        "/%7B/of/3",
        "/a%2Fb/of/3",
        "/things/of/3",
        "/others/of/3",
        "/others/of/3/more",
        "/thingsof/of/-3?n=1",
    ],
)
def test_a_compiled_route_answers_as_fastapi_does(target: str, paths: TwoPaths) -> None:
    compiled, general = paths.send(target)
    assert compiled == general
    assert paths.takes_compiled_path(target)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize(
    "target",
    [
        "/things/raw/a/",
        "/things/raw/a/b/c?n=1",
        "/things/raw/a%2Fb/c%2Fd/e",
        "/things/raw/%C3%A9%20x/%25zz/%7B",
        "/things/raw/a/b?refused=true",
    ],
)
def test_an_endpoint_of_responses_answers_as_under_fastapi(
    method: str, target: str, paths: TwoPaths
) -> None:
    compiled, general = paths.send(target, method=method)
    assert compiled == general
    assert compiled.status == (409 if "refused" in target else 299)
    assert paths.takes_compiled_path(target, method=method)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/things/raw/a"),
        ("PUT", "/things/raw/a/b"),
        ("GET", "/things/raw/a/b?refused=perhaps"),
        ("GET", "/things/first/x"),
        ("GET", "/things/first/35?n=6"),
        ("GET", "/things/first/35?n=6&refused=true"),
        ("GET", "/things/first/35?refused=perhaps"),
        ("GET", "/things/created"),
        ("GET", "/things/list"),
        ("GET", "/things/many?n=1&n=2"),
        ("GET", "/things/headers"),
        ("GET", "/things/cookie"),
        ("GET", "/things/choices?b=1"),
        ("GET", "/things/built"),
        ("GET", "/things/own"),
        ("GET", "/things/closing"),
        ("GET", "/things/thread"),
        ("GET", "/things/excluded"),
        ("PUT", "/things/first/35"),
        ("DELETE", "/things/first/35"),
        ("GET", "/things/nowhere"),
        ("GET", "//of/3"),
        ("GET", "/things/of/x"),
        ("GET", "/others/of/x/more"),
        ("GET", "/nowhere/more"),
        ("GET", "/%7B"),
        ("GET", "/things%2Fof/3"),
    ],
)
def test_any_other_request_goes_on_to_fastapi(method: str, target: str, paths: TwoPaths) -> None:
    compiled, general = paths.send(target, method=method)
    assert compiled == general
    assert not paths.takes_compiled_path(target, method=method)


def test_a_missing_resource_is_an_error_that_names_its_type(paths: TwoPaths) -> None:
    assert [result.status for result in paths.send("/things/unopened")] == [500, 500]
    with pytest.raises(LookupError, match="no resource of type Nothing is open"):
        paths.app.state.resources[example_app.Nothing]


def test_a_refusal_leaves_no_reference_cycle(paths: TwoPaths) -> None:
    gc.collect()
    gc.disable()
    try:
        assert paths.send_compiled("/things/first/35?refused=true").status == 409
        held = [it for it in gc.get_objects() if isinstance(it, example_app.Refused)]
    finally:
        gc.enable()
    assert held == []


def test_overridden_dependencies_take_the_general_path() -> None:
    paths = TwoPaths(example_app.build_app(), example_app.calls)

    async def override() -> int:
        return 1_000

    paths.app.dependency_overrides[example_app.count] = override
    result = paths.send_compiled("/things/first/35")
    assert ("scoped", ("a", "b"), 1_000) in result.calls
    assert not paths.takes_compiled_path("/things/first/35")


@pytest.mark.parametrize("overridden", [False, True])
async def test_middleware_added_to_the_gateway_wraps_compiled_routes_too(overridden: bool) -> None:
    async with lockgate() as gateway:
        gateway.app.middleware_stack = None
        gateway.app.add_middleware(CORSMiddleware, allow_origins=["https://screens.test"])
        if overridden:
            gateway.app.dependency_overrides[example_app.count] = example_app.count
        answer = await gateway.http.get(
            "/dashboard/42",
            headers={
                "Origin": "https://screens.test",
                "Authorization": f"Bearer {gateway.token('42', ['dashboard:read'])}",
            },
        )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://screens.test"
