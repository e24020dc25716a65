"""Declared problems: a refusal of a service becomes the response of the gateway."""

from http import HTTPStatus
from typing import Annotated

import pytest
import respx
from fastapi import APIRouter
from pydantic import Field, computed_field

from gateway.aggregation import Composed, Composite, Part
from gateway.app_loader import Application
from gateway.auth import public
from gateway.resources import Upstream
from gateway.settings.schema import Settings
from gateway.testing import lockgate
from gateway.upstream import (
    DecimalText,
    PendingCall,
    ResponseModel,
    ServiceClient,
    UpstreamInvalid,
    UpstreamProblem,
    UpstreamRefused,
    raises,
)
from gateway.upstream.resilience.retry import Retry, RetryBudget
from tests.gateway.upstream.example_client import URL, ExampleClient, Item


class Price(ResponseModel, camel_case=True):
    current_price: DecimalText


class PriceChanged(
    UpstreamProblem,
    status=409,
    type="https://shop.example/problems/price-changed",
    title="The price has changed",
    detail="Confirm the new price and try again.",
    members=Price,
):
    """The price in the order is not the current one."""


class NotForSale(UpstreamProblem, status=422):
    """The service does not sell this."""


def order(client: ServiceClient) -> PendingCall[Item]:
    return client.post("/orders", json={}, into=Item).or_raise(PriceChanged, NotForSale)


async def test_a_declared_status_raises_its_problem(
    routes: respx.Router, client: ExampleClient
) -> None:
    routes.post("/orders").respond(409, json={"currentPrice": "12.50", "internal": 1})
    with pytest.raises(PriceChanged) as raised:
        await order(client)
    assert raised.value.members == {"current_price": "12.50"}
    assert raised.value.status == 409
    assert raised.value.reason == "refused"
    assert isinstance(raised.value.__cause__, UpstreamRefused)


async def test_other_statuses_and_successes_are_unchanged(
    routes: respx.Router, client: ExampleClient
) -> None:
    route = routes.post("/orders").respond(403)
    with pytest.raises(UpstreamRefused) as raised:
        await order(client)
    assert type(raised.value) is UpstreamRefused
    route.respond(201, json={"sku": "A"})
    assert await order(client) == Item(sku="A")


async def test_a_problem_without_its_members_is_an_invalid_response(
    routes: respx.Router, client: ExampleClient
) -> None:
    routes.post("/orders").respond(409, json={"currentPrice": 12.5})
    with pytest.raises(UpstreamInvalid, match="currentPrice value_error"):
        await order(client)


async def test_policies_do_not_hide_the_body_of_a_refusal(mock: respx.MockRouter) -> None:
    mock.post("/orders").respond(409, json={"currentPrice": "1"})
    retry = Retry(3, budget=RetryBudget(share=1, minimum=9), backoff=0, max_backoff=0)
    async with ExampleClient(URL, policies=[retry]) as client:
        with pytest.raises(PriceChanged) as raised:
            await order(client)
    assert raised.value.members == {"current_price": "1"}
    assert len(mock.calls) == 1


class Shop(ServiceClient, name="shop"):
    def order(self) -> PendingCall[Item]:
        return order(self)


@raises(PriceChanged, NotForSale)
def fetch_order(shop: Upstream[Shop]) -> PendingCall[Item]:
    return shop.order()


class Required(Composite):
    order: Annotated[Item, Part(fetch_order)]


class Optional(Composite):
    order: Annotated[Item | None, Part(fetch_order)] = None


router = APIRouter(dependencies=[public("a test")])


@router.post("/orders")
@raises(PriceChanged, NotForSale)
async def create_order(shop: Upstream[Shop]) -> Item:
    return await shop.order()


@router.get("/required")
async def get_required(view: Composed[Required]) -> Required:
    return view


@router.get("/optional")
async def get_optional(view: Composed[Optional]) -> Optional:
    return view


APPLICATION = Application(clients={"shop": Shop}, policies={}, routers=[router])


@pytest.mark.parametrize(("method", "path"), [("POST", "/orders"), ("GET", "/required")])
async def test_the_gateway_responds_with_the_declared_problem(method: str, path: str) -> None:
    async with lockgate(Settings(), application=APPLICATION) as gateway:
        shop = gateway.service("shop")
        shop.on("POST", "/orders").answers(
            {"currentPrice": "12.50", "secret": 1}, status=409
        ).then.fails(422)
        changed = await gateway.request(method, path)
        unsold = await gateway.request(method, path)
    assert changed.status_code == 409
    assert changed.headers["content-type"] == "application/problem+json"
    assert changed.json() == {
        "type": "https://shop.example/problems/price-changed",
        "title": "The price has changed",
        "status": 409,
        "detail": "Confirm the new price and try again.",
        "instance": changed.headers["x-request-id"],
        "current_price": "12.50",
    }
    assert unsold.status_code == 422
    assert (unsold.json()["type"], unsold.json()["title"]) == (
        "about:blank",
        HTTPStatus(422).phrase,
    )


async def test_an_optional_part_with_a_problem_is_missing() -> None:
    async with lockgate(Settings(), application=APPLICATION) as gateway:
        gateway.service("shop").fails(422)
        page = await gateway.get("/optional")
    assert page.json() == {"order": None, "degraded": [{"part": "order", "reason": "refused"}]}


class Enhance(UpstreamProblem, status=420):
    """A status without a phrase of its own."""


async def test_an_unknown_status_has_the_phrase_of_its_class() -> None:
    more = APIRouter(dependencies=[public("a test")])

    @more.get("/calm")
    @raises(Enhance)
    async def get_calm(shop: Upstream[Shop]) -> int:
        return await shop.get("/", into=int).or_raise(Enhance)

    application = Application(clients={"shop": Shop}, routers=[more])
    async with lockgate(Settings(), application=application) as gateway:
        gateway.service("shop").fails(420)
        response = await gateway.get("/calm")
    assert (response.status_code, response.json()["title"]) == (420, "Bad Request")


@pytest.mark.parametrize("status", [200, 304, 401, 407, 429, 500, 503])
def test_a_status_that_is_about_the_gateway_cannot_be_passed_on(status: int) -> None:
    with pytest.raises(TypeError, match=rf"Wrong: status={status} cannot be passed on; declare"):

        class Wrong(UpstreamProblem, status=status):
            pass


def test_a_member_cannot_replace_a_standard_one() -> None:
    class Forged(ResponseModel):
        status: int
        instance: str
        kind: str = Field(alias="type")
        detail: str = Field(serialization_alias="details")

    with pytest.raises(TypeError, match="Wrong: instance, status, type cannot be a member"):

        class Wrong(UpstreamProblem, status=409, type="urn:wrong", members=Forged):
            pass


def test_a_computed_member_cannot_replace_a_standard_one() -> None:
    class Computed(ResponseModel):
        @computed_field
        def status(self) -> int:
            return 200

        @computed_field(alias="title")
        def heading(self) -> str:
            return "forged"

    with pytest.raises(TypeError, match="Wrong: status, title cannot be a member"):

        class Wrong(UpstreamProblem, status=409, type="urn:wrong", members=Computed):
            pass


def test_members_need_a_type() -> None:
    with pytest.raises(TypeError, match="Wrong: members=Price needs a problem type; add type="):

        class Wrong(UpstreamProblem, status=409, members=Price):
            pass
