"""Which routes are compiled."""

from fastapi import FastAPI

from gateway.app import create_app
from gateway.routing.dispatcher import RouteTable
from gateway.settings.loader import load_settings
from tests.gateway.routing import example_app
from tests.gateway.routing.comparison import trust


def get_compiled_paths(app: FastAPI) -> set[str | None]:
    entries = RouteTable(app.router, is_guarded=trust).entries
    return {it.compiled.route.path for it in entries if it.compiled is not None}


def test_exactly_the_routes_without_obstacles_are_compiled() -> None:
    assert get_compiled_paths(example_app.build_app()) == example_app.COMPILED


def test_the_composites_are_compiled() -> None:
    assert "/dashboard/{user_id}" in get_compiled_paths(create_app(load_settings()))


def test_a_websocket_route_does_not_end_the_table() -> None:
    app = FastAPI()

    @app.websocket("/events")
    async def events() -> None: ...

    @app.get("/after")
    async def after() -> example_app.Thing:
        return example_app.Thing(number=1)

    assert get_compiled_paths(app) == {"/after"}
