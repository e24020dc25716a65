"""A route lists the problems that its functions declare with `raises`, as they are sent."""

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from gateway.aggregation import Composed, Composite, FromPart, Part
from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import public, requires
from gateway.ratelimit import RateLimit, limited
from gateway.resources import Upstream
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings
from gateway.testing import lockgate
from gateway.upstream import (
    DecimalText,
    PendingCall,
    ResponseModel,
    ServiceClient,
    UpstreamProblem,
    raises,
)
from tests.gateway.openapi import orders, payments
from tests.gateway.openapi.example_app import list_problems

OURS = "urn:lockgate:problem:"
ACME = "https://acme.example/problems/"
SCHEMAS = "#/components/schemas/"


class Money(ResponseModel, camel_case=True):
    in_cents: int = Field(serialization_alias="cents")


class Price(ResponseModel, camel_case=True):
    current_price: DecimalText
    last_paid: Money | None = None


class PriceChanged(
    UpstreamProblem,
    status=409,
    type=ACME + "price-changed",
    title="The price has changed",
    members=Price,
):
    """The price in the order is not the current one.

    Only the first line is in the document.
    """


class Comment(ResponseModel):
    text: str
    replies: list["Comment"]


class CommentsClosed(UpstreamProblem, status=403, type=ACME + "comments-closed", members=Comment):
    """Comments are closed."""


class NotForSale(UpstreamProblem, status=422):
    """The service does not sell this."""


class ProductGone(UpstreamProblem, status=410):
    """The product is not made any more."""


class AccountLocked(UpstreamProblem, status=423, type=ACME + "account-locked"):
    pass


class Shop(ServiceClient, name="shop"):
    def order(self) -> PendingCall[int]:
        problems = (PriceChanged, CommentsClosed, NotForSale, ProductGone, AccountLocked)
        return self.post("/orders", json={}, into=int).or_raise(*problems)


@raises(PriceChanged, ProductGone)
def fetch_order(shop: Upstream[Shop]) -> PendingCall[int]:
    return shop.order()


@raises(AccountLocked)
async def load_account(shop: Upstream[Shop]) -> int:
    return await shop.order()


class Required(Composite):
    order: Annotated[int, Part(fetch_order)]


class Optional(Composite):
    order: Annotated[int, Part(fetch_order)] = 0


async def fetch_total(order: FromPart[int]) -> int:
    return await order


class Awaited(Composite):
    """The required part fails if the optional one, which it awaits, fails."""

    order: Annotated[int, Part(fetch_order)] = 0
    total: Annotated[int, Part(fetch_total)]


WRITES = RateLimit("writes", "10/minute", per="address")
router = APIRouter()
open_to_all = [public("a test")]


@router.post("/orders", dependencies=[requires("orders:write"), limited(WRITES)])
@raises(PriceChanged, NotForSale, CommentsClosed)
async def post_order(shop: Upstream[Shop], count: int = 1) -> int:
    return count * await shop.order()


@raises(ProductGone)
@router.get("/above", dependencies=open_to_all)
async def get_above(account: Annotated[int, Depends(load_account)]) -> int:
    return account


@router.get("/required", dependencies=open_to_all)
@raises(AccountLocked)
async def get_required(view: Composed[Required]) -> Required:
    return view


@router.get("/optional", dependencies=open_to_all)
async def get_optional(view: Composed[Optional]) -> Optional:
    return view


@router.get("/awaited", dependencies=open_to_all)
async def get_awaited(view: Composed[Awaited]) -> Awaited:
    return view


@router.get(
    "/described", dependencies=open_to_all, responses={410: {"description": "No longer sold"}}
)
@raises(PriceChanged, ProductGone)
async def get_described(shop: Upstream[Shop]) -> int:
    return await shop.order()


def build_document(*routers: APIRouter) -> dict[str, Any]:
    application = Application(clients={"shop": Shop}, routers=routers)
    return create_app(Settings(), application=application).openapi()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_document(router)


CONFLICT = {"409": {ACME + "price-changed"}}
GONE = {"410": {"about:blank"}}
LOCKED = {"423": {ACME + "account-locked"}}
RAISED: dict[tuple[str, str], dict[str, set[str]]] = {
    ("/orders", "post"): {
        **CONFLICT,
        "403": {OURS + "forbidden", OURS + "wrong-service", ACME + "comments-closed"},
        "422": {OURS + "invalid-request", "about:blank"},
    },
    ("/above", "get"): {**GONE, **LOCKED},
    ("/required", "get"): {**CONFLICT, **GONE, **LOCKED},
    ("/optional", "get"): {},
    ("/awaited", "get"): {**CONFLICT, **GONE},
    ("/described", "get"): {**CONFLICT, **GONE},
}


REFUSAL: dict[str, Any] = {"currentPrice": "1", "lastPaid": None, "text": "a", "replies": []}


@pytest.mark.parametrize(("path", "method"), RAISED)
def test_a_route_lists_the_problems_of_its_functions(
    document: dict[str, Any], path: str, method: str
) -> None:
    problems = list_problems(document["paths"][path][method])
    own = {"401", "429", "500", "502", "503", "504", "default"}
    assert {it: types for it, types in problems.items() if it not in own} == RAISED[path, method]


@pytest.mark.parametrize(("path", "method"), [key for key in RAISED if key[0] != "/optional"])
async def test_the_problems_of_a_route_are_sent(path: str, method: str) -> None:
    async with lockgate(
        Settings(), application=Application(clients={"shop": Shop}, routers=[router])
    ) as gateway:
        for status, types in RAISED[path, method].items():
            gateway.service("shop").answers(REFUSAL, status=int(status))
            response = await gateway.request(method, path, user="7", scopes=["orders:write"])
            assert response.status_code == int(status)
            assert response.json()["type"] in types


def test_a_schema_has_the_members_as_they_are_sent(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    schema = schemas["PriceChangedProblem"]
    assert schema["description"] == "The price in the order is not the current one."
    properties = schema["properties"]
    assert properties["type"]["const"] == ACME + "price-changed"
    assert properties["status"]["const"] == 409
    assert properties["current_price"]["type"] == "string"
    assert schema["required"] == list(properties)
    assert list(properties)[-2:] == ["current_price", "last_paid"]
    money = {"$ref": f"{SCHEMAS}PriceChangedProblemMoney"}
    assert properties["last_paid"]["anyOf"] == [money, {"type": "null"}]
    assert list(schemas["PriceChangedProblemMoney"]["properties"]) == ["cents"]


def test_members_can_refer_to_themselves(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    replies = schemas["CommentsClosedProblem"]["properties"]["replies"]
    assert replies["items"] == {"$ref": f"{SCHEMAS}CommentsClosedProblemComment"}
    assert "text" in schemas["CommentsClosedProblemComment"]["properties"]


def test_a_problem_without_a_docstring_is_described_by_its_title(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["AccountLockedProblem"]["description"] == "Locked"


def test_a_status_is_described(document: dict[str, Any]) -> None:
    responses = document["paths"]["/described"]["get"]["responses"]
    assert responses["409"]["description"] == "Conflict"
    assert responses["410"]["description"] == "No longer sold"


def test_a_problem_of_a_service_comes_after_the_rate_limit(document: dict[str, Any]) -> None:
    responses = document["paths"]["/orders"]["post"]["responses"]
    assert {"RateLimit", "RateLimit-Policy"} <= responses["403"]["headers"].keys()
    assert "RateLimit" not in responses["401"]["headers"]


class Forbidden(UpstreamProblem, status=403, type=ACME + "forbidden"):
    """Its schema would have the name of the gateway's own problem."""


class StockProblem(UpstreamProblem, status=409, type=ACME + "stock"):
    """The name of its schema is that of a model."""


class OutOfStockProblem(UpstreamProblem, status=409, type=ACME + "out-of-stock"):
    """Its name has the suffix already."""


async def test_the_names_of_schemas_are_unique() -> None:
    class StockProblem(BaseModel):
        """A model of the application."""

    more = APIRouter(dependencies=[requires("stock:read")])
    kinds = (orders.Conflict, payments.Conflict, payments.Payments.Conflict)

    @more.get("/stock")
    @raises(*kinds, Forbidden, globals()["StockProblem"], OutOfStockProblem)
    async def get_stock() -> StockProblem:
        return StockProblem()

    document = build_document(more)
    content = document["paths"]["/stock"]["get"]["responses"]["409"]["content"]
    mapping = content["application/problem+json"]["schema"]["discriminator"]["mapping"]
    here, module = "tests__gateway__openapi__test_raised_problems", "tests__gateway__openapi"
    assert mapping == {
        ACME + "orders/conflict": f"{SCHEMAS}{module}__orders__ConflictProblem",
        ACME + "payments/conflict": f"{SCHEMAS}{module}__payments__ConflictProblem",
        ACME + "payments/nested": f"{SCHEMAS}{module}__payments__Payments__ConflictProblem",
        ACME + "stock": f"{SCHEMAS}{here}__StockProblem",
        ACME + "out-of-stock": f"{SCHEMAS}OutOfStockProblem",
    }
    schemas = document["components"]["schemas"]
    assert schemas["ForbiddenProblem"]["properties"]["type"]["const"] == OURS + "forbidden"
    assert schemas["StockProblem"]["description"] == "A model of the application."
    assert f"{here}__ForbiddenProblem" in schemas


def test_a_model_that_has_the_name_of_a_nested_member_is_kept() -> None:
    class PriceChangedProblemMoney(BaseModel):
        """A model of the application."""

    more = APIRouter(dependencies=open_to_all)

    @more.get("/money")
    @raises(PriceChanged)
    async def get_money() -> PriceChangedProblemMoney:
        return PriceChangedProblemMoney()

    schemas = build_document(more)["components"]["schemas"]
    here = "tests__gateway__openapi__test_raised_problems"
    description = schemas["PriceChangedProblemMoney"]["description"]
    assert description == "A model of the application."
    assert list(schemas[f"{here}__PriceChangedProblemMoney"]["properties"]) == ["cents"]


def test_problems_that_a_client_cannot_tell_apart_prevent_the_start() -> None:
    class Other(UpstreamProblem, status=409, type=ACME + "price-changed", members=Money):
        pass

    more = APIRouter(dependencies=open_to_all)

    @more.get("/prices")
    @raises(PriceChanged, Other)
    async def get_prices() -> int:
        return 1

    with pytest.raises(InvalidSettings) as raised:
        build_document(more)
    assert str(raised.value) == (
        f"GET /prices: raises(PriceChanged, Other): both problems are 409 {ACME}price-changed, but "
        "their members differ (give each a type of its own)"
    )
