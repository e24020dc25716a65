"""An app with a route of every kind that OpenAPI describes differently."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from gateway.aggregation import Composed, Composite, Part
from gateway.app import Gateway, create_app
from gateway.app_loader import Application
from gateway.auth import Caller, CallerId, owner, public, requires
from gateway.ratelimit import RateLimit, limited
from gateway.resources import Upstream
from gateway.settings.schema import Settings
from gateway.upstream import PendingCall, ServiceClient

PAGES = RateLimit("pages", "10/minute", without_redis="deny")
VISITS = RateLimit("visits", "10/minute", per="address")
SHADOW = RateLimit("shadow", "10/minute", per="address", shadow=True)


class Items(ServiceClient, name="items"):
    """A client."""


class Item(BaseModel):
    name: str


def fetch_item(item_id: int, items: Upstream[Items]) -> PendingCall[int]:
    return items.get("/{item_id}", into=int, item_id=item_id)


def fetch_names(items: Upstream[Items]) -> PendingCall[list[str]]:
    return items.get("/", into=list[str])


class Page(Composite):
    """A required part and two optional ones."""

    item: Annotated[int, Part(fetch_item)]
    names: Annotated[list[str], Part(fetch_names)] = []  # noqa: RUF012 - pydantic copies a default
    others: Annotated[list[str], Part(fetch_names)] = []  # noqa: RUF012 - pydantic copies a default


class Extras(Composite):
    """Optional parts only."""

    names: Annotated[list[str], Part(fetch_names)] = []  # noqa: RUF012 - pydantic copies a default


class Whole(Composite):
    """A required part only."""

    names: Annotated[list[str], Part(fetch_names)]


router = APIRouter()
open_to_all = [public("a test")]


@router.get(
    "/page/{item_id}", dependencies=[requires("page:read"), owner("item_id"), limited(PAGES)]
)
async def get_page(page: Composed[Page]) -> Page:
    return page


@router.get("/extras", dependencies=[*open_to_all, limited(SHADOW)])
async def get_extras(extras: Composed[Extras]) -> Extras:
    return extras


@router.get("/whole", dependencies=[*open_to_all, limited(VISITS)])
async def get_whole(whole: Composed[Whole]) -> Whole:
    return whole


@router.post("/items", dependencies=[requires()], responses={404: {"description": "No such item"}})
async def post_item(item: Item) -> Item:
    return item


@router.get("/direct", dependencies=[*open_to_all], responses={409: {"model": Item}})
async def get_direct(items: Upstream[Items]) -> Item:
    return Item(name=await items.get("/", into=str))


async def read_caller(caller: Caller) -> str:
    return caller.subject


@router.get("/nested", dependencies=[requires("items:read")])
async def get_nested(subject: Annotated[str, Depends(read_caller)]) -> Item:
    return Item(name=subject)


@router.get("/mine", dependencies=[requires("items:read")])
async def get_mine(user_id: CallerId[int]) -> Item:
    return Item(name=str(user_id))


def create_example_app(*more: APIRouter) -> Gateway:
    application = Application(
        clients={"items": Items}, policies={"pages": PAGES}, routers=[router, *more]
    )
    return create_app(Settings(), application=application)


def get_operation(path: str, method: str = "get") -> dict[str, Any]:
    operation: dict[str, Any] = create_example_app().openapi()["paths"][path][method]
    return operation


def list_problems(operation: dict[str, Any]) -> dict[str, set[str]]:
    """Return the types of the problems by status; each status has a union that `type` selects."""
    schemas = {
        status: response["content"]["application/problem+json"]["schema"]
        for status, response in operation["responses"].items()
        if "application/problem+json" in response.get("content", {})
    }
    for schema in schemas.values():
        references = [entry["$ref"] for entry in schema["oneOf"]]
        assert references == list(schema["discriminator"]["mapping"].values())
        assert schema["discriminator"]["propertyName"] == "type"
    return {status: set(it["discriminator"]["mapping"]) for status, it in schemas.items()}
