"""GET /storefront/{user_id}: recommended products with current prices and stock."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from clients.catalog import Catalog
from clients.recommendations import Recommendations
from clients.users import User, Users
from config.limits import STOREFRONTS
from gateway.aggregation import Composed, Composite, Part
from gateway.auth import owner, requires
from gateway.ratelimit import limited
from gateway.resources import Upstream
from gateway.upstream import PendingCall

router = APIRouter(tags=["composites"])

_UserId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The id of the user")]


class Offer(BaseModel):
    """A recommended product, with its data from the catalog and the reason to recommend it."""

    model_config = ConfigDict(frozen=True)

    sku: str
    name: str
    price: float
    currency: str
    image: str
    in_stock: bool
    score: float
    reason: str


async def fetch_offers(
    user_id: _UserId, recommendations: Upstream[Recommendations], catalog: Upstream[Catalog]
) -> list[Offer]:
    """Fetch the recommendations, then their products; skip those that the catalog does not have."""
    recommended = await recommendations.for_user(user_id)
    products = {
        product.sku: product for product in await catalog.products([r.sku for r in recommended])
    }
    return [
        Offer(**asdict(products[r.sku]), score=r.score, reason=r.reason)
        for r in recommended
        if r.sku in products
    ]


def fetch_customer(user_id: _UserId, users: Upstream[Users]) -> PendingCall[User]:
    return users.get(user_id)


class Storefront(Composite, budget=2.0):
    """The storefront of a user. The offers are required; the customer is optional."""

    offers: Annotated[list[Offer], Part(fetch_offers)]
    customer: Annotated[User | None, Part(fetch_customer, timeout=0.8)] = None


@router.get(
    "/storefront/{user_id}",
    dependencies=[requires("storefront:read"), owner("user_id"), limited(STOREFRONTS)],
)
async def get_storefront(view: Composed[Storefront]) -> Storefront:
    """Recommended products with current prices and stock from the catalog."""
    return view
