"""A request that goes straight through its route is answered just as FastAPI answers it."""

import asyncio
import gc
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.app import create_app
from gateway.routing.dispatcher import Dispatcher
from gateway.routing.route_table import RouteTable
from gateway.settings.schema import Settings
from gateway.testing import lockgate
from tests.gateway.routing import example_app


@dataclass(frozen=True)
class Answer:
    """All that a caller, and the dependencies, saw."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    calls: list[object]


class Unreached:
    """Stands where FastAPI's own way begins, and counts who goes it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.reached = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached += scope["type"] == "http"
        await self.app(scope, receive, send)


def ask(app: ASGIApp, method: str, target: str) -> Answer:
    async def go() -> httpx.Response:
        wire = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=wire, base_url="http://example_app.test") as http:
            return await http.request(method, target)

    example_app.calls.clear()
    response = asyncio.run(go())
    return Answer(
        response.status_code, response.headers.raw, response.content, list(example_app.calls)
    )


class Served:
    """The dispatcher as in the gateway: the scope names the app, and failures are told."""

    def __init__(self) -> None:
        self.app = example_app.shopfront()
        self.behind = Unreached(self.app)
        self._outermost = ServerErrorMiddleware(Dispatcher(self.behind, gateway=self.app))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self.app
        await self._outermost(scope, receive, send)


@pytest.fixture(scope="module")
def apps() -> tuple[Served, FastAPI]:
    """The same app, with a dispatcher and without."""
    return Served(), example_app.shopfront()


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
        "/",
        "/?n=1&texts=x",
        "/%7B/of/3",
        "/things/of/3",
        "/others/of/3",
        "/others/of/3/more",
        "/thingsof/of/-3?n=1",
    ],
)
def test_a_settled_route_answers_as_fastapi_does(target: str, apps: tuple[Served, FastAPI]) -> None:
    served, plain = apps
    before = served.behind.reached
    assert ask(served, "GET", target) == ask(plain, "GET", target)
    assert served.behind.reached == before


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/things/first/x"),
        ("GET", "/things/first/35?n=6"),
        ("GET", "/things/first/35?n=6&refused=true"),
        ("GET", "/things/first/35?refused=perhaps"),
        ("GET", "/things/created"),
        ("GET", "/things/list"),
        ("GET", "/things/many?n=1&n=2"),
        ("GET", "/things/header"),
        ("GET", "/things/closing"),
        ("GET", "/things/thread"),
        ("GET", "/things/rest/a/b"),
        ("GET", "/things/excluded"),
        ("PUT", "/things/first/35"),
        ("HEAD", "/things/first/35"),
        ("DELETE", "/things/first/35"),
        ("GET", "/things/nowhere"),
        ("GET", "/things/shelved"),
        ("GET", "//of/3"),
        ("GET", "/things/of/x"),
        ("GET", "/others/of/x/more"),
        ("GET", "/nowhere/more"),
        ("GET", "/%7B"),
        ("GET", "/a%2Fb/of/3"),
    ],
)
def test_what_fits_no_settled_route_is_left_to_fastapi(
    method: str, target: str, apps: tuple[Served, FastAPI]
) -> None:
    served, plain = apps
    before = served.behind.reached
    assert ask(served, method, target) == ask(plain, method, target)
    assert served.behind.reached == before + 1


def test_what_nobody_opened_is_a_failure_and_named(apps: tuple[Served, FastAPI]) -> None:
    assert [ask(app, "GET", "/things/unopened").status for app in apps] == [500, 500]
    with pytest.raises(LookupError, match="nothing of type Nothing is open"):
        apps[1].state.resources[example_app.Nothing]


def test_a_refusal_leaves_nothing_for_the_collector(apps: tuple[Served, FastAPI]) -> None:
    gc.collect()
    gc.disable()
    try:
        assert ask(apps[0], "GET", "/things/first/35?refused=true").status == 409
        held = [it for it in gc.get_objects() if isinstance(it, example_app.Refused)]
    finally:
        gc.enable()
    assert held == []


PATHS = st.sampled_from(
    ["first/35", "first/me", "first/-1", "first/x", "created", "dict", "list", "response"]
)
NAMES = st.sampled_from(["n", "text", "an-alias", "alias", "name", "number", "refused", "plain"])
VALUES = st.one_of(
    st.sampled_from(["", "1", "5", "6", "x", "true", "1.5", "+2", " 3", "é", "&", "=", "%", ";"]),
    st.text(max_size=5),
)


@settings(deadline=None, max_examples=150)
@given(path=PATHS, pairs=st.lists(st.tuples(NAMES, VALUES), max_size=4), plus=st.booleans())
def test_whatever_is_asked_the_answers_are_the_same(
    apps: tuple[Served, FastAPI], path: str, pairs: list[tuple[str, str]], plus: bool
) -> None:
    query = "&".join(f"{name}={quote(value, safe='+' if plus else '')}" for name, value in pairs)
    target = f"/things/{path}?{query}"
    served, plain = apps
    assert ask(served, "GET", target) == ask(plain, "GET", target)


def settled_paths(app: FastAPI) -> set[str | None]:
    return {
        row.settled.route.path for row in RouteTable(app.routes).rows if row.settled is not None
    }


def test_only_what_comes_to_the_same_each_time_is_settled() -> None:
    assert settled_paths(example_app.shopfront()) == example_app.SETTLED


def test_the_composites_are_settled() -> None:
    found = settled_paths(create_app(Settings()))
    assert {"/dashboard/{user_id}", "/storefront/{user_id}"} <= found


def test_overridden_dependencies_are() -> None:
    served = Served()

    async def instead() -> int:
        return 1_000

    served.app.dependency_overrides[example_app.count] = instead
    answer = ask(served, "GET", "/things/first/35")
    assert ("scoped", ("a", "b"), 1_000) in answer.calls
    assert served.behind.reached == 1


@pytest.mark.parametrize("overridden", [False, True])
async def test_layers_added_to_the_gateway_are_around_settled_routes_too(overridden: bool) -> None:
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
