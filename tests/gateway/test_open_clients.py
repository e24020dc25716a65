"""Clients of downstream services: opening them, missing addresses, and the headers of calls."""

from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter

from gateway.aggregation import Composed, Composite, Part
from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import public
from gateway.resources import Upstream
from gateway.settings.errors import InvalidSettings
from gateway.settings.loader import load_settings
from gateway.settings.schema import Service, Settings
from gateway.testing import ReceivedRequest, lockgate
from gateway.upstream import PendingCall, ResponseModel, ServiceClient


class Thing(ResponseModel):
    id: int


class Used(ServiceClient, name="used"):
    """A service that a route calls."""

    def thing(self) -> PendingCall[Thing]:
        return self.get("/thing", into=Thing)


class Unused(ServiceClient, name="unused"):
    """A service that no route calls."""


def fetch_thing(used: Upstream[Used]) -> PendingCall[Thing]:
    return used.thing()


class Page(Composite):
    """A page with one part."""

    thing: Annotated[Thing, Part(fetch_thing)]


router = APIRouter()


@router.get("/page", dependencies=[public("test")])
async def get_page(view: Composed[Page]) -> Page:
    return view


APPLICATION = Application(clients={"used": Used, "unused": Unused}, policies={}, routers=[router])


async def start(settings: Settings) -> None:
    app = create_app(settings, application=APPLICATION)
    async with app.router.lifespan_context(app):
        pass


async def test_a_service_that_a_route_calls_needs_an_address() -> None:
    with pytest.raises(InvalidSettings) as caught:
        await start(Settings())
    (error,) = caught.value.errors
    assert str(error) == (
        "upstreams.used.url: the service has no address, and /page calls it "
        "(set LOCKGATE_UPSTREAMS__USED__URL)"
    )


async def test_a_client_that_a_route_uses_must_be_declared() -> None:
    class Other(ServiceClient, name="used"):
        """A second client of the service."""

    for clients in ({}, {"used": Other}):
        application = Application(clients=clients, policies={}, routers=[router])
        app = create_app(Settings(), application=application)
        with pytest.raises(InvalidSettings) as caught:
            async with app.router.lifespan_context(app):
                pass
        (error,) = caught.value.errors
        assert str(error) == (
            f"{__name__}.Used: /page uses this client, but the gateway does not open it (define it "
            "in the package's clients, as the only one with name='used')"
        )


async def test_a_service_that_no_route_calls_needs_none() -> None:
    await start(Settings(upstreams={"used": Service.model_validate({"url": "http://used.test"})}))


async def test_an_address_of_an_unknown_service_is_refused() -> None:
    address = Service.model_validate({"url": "http://used.test"})
    with pytest.raises(InvalidSettings, match=r"upstreams\.usde: .*did you mean used"):
        await start(Settings(upstreams={"used": address, "usde": address}))


async def get_dashboard_calls(settings: Settings, **headers: str) -> dict[str, ReceivedRequest]:
    """The request that each service of the dashboard got, for one request with a token."""
    async with lockgate(settings) as gateway:
        token = gateway.token("42", ["dashboard:read"])
        response = await gateway.http.get(
            "/dashboard/42", headers={"Authorization": f"Bearer {token}", **headers}
        )
        assert response.status_code == 200
        services = ("users", "orders")
        return {name: gateway.service(name).requests[-1] for name in services}


async def test_every_call_sends_the_request_id_and_a_trace() -> None:
    calls = await get_dashboard_calls(load_settings(), **{"X-Request-Id": "request-1"})
    assert {call.headers["x-request-id"] for call in calls.values()} == {"request-1"}
    assert len({call.headers["traceparent"] for call in calls.values()}) == 1
    assert not any("authorization" in call.headers for call in calls.values())


async def test_a_trace_of_the_caller_is_continued() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {"traceparent": trace, "tracestate": "a=1"}
    calls = await get_dashboard_calls(load_settings(), **headers)
    assert {call.headers["traceparent"] for call in calls.values()} == {trace}
    assert {call.headers["tracestate"] for call in calls.values()} == {"a=1"}


async def test_only_a_service_that_asks_for_it_gets_the_token() -> None:
    settings = load_settings()
    orders = settings.upstreams["orders"].model_copy(
        update={"forward_token": True, "forward_headers": ("accept-language",)}
    )
    upstreams = {**settings.upstreams, "orders": orders}
    settings = settings.model_copy(update={"upstreams": upstreams})
    calls = await get_dashboard_calls(settings, **{"Accept-Language": "de"})
    with_token = [name for name, call in calls.items() if "authorization" in call.headers]
    with_language = [name for name, call in calls.items() if "accept-language" in call.headers]
    assert with_token == with_language == ["orders"]


async def test_an_unverified_token_is_not_forwarded() -> None:
    service = Service.model_validate({"url": "http://used.test", "forward_token": True})
    seen: list[httpx.Headers] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json={"id": 1})

    app = create_app(
        Settings(upstreams={"used": service}),
        application=APPLICATION,
        transports={"used": httpx.MockTransport(respond)},
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http,
    ):
        response = await http.get("/page", headers={"Authorization": "Bearer forged"})
    assert response.status_code == 200
    assert "authorization" not in seen[0]
