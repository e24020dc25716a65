"""GET /dashboard/{user_id}: a user with their orders."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from gateway.aggregation import Composed, Composite, Part
from gateway.auth import owner, requires
from gateway.ratelimit import limited
from gateway.resources import Upstream
from gateway.upstream import PendingCall
from tests.sample.clients.orders import Order, Orders
from tests.sample.clients.users import User, Users
from tests.sample.limits import DASHBOARDS

router = APIRouter(tags=["composites"])

_UserId = Annotated[int, Path(ge=1, description="The id of the user")]
_OrderLimit = Annotated[int, Query(ge=1, le=50, description="The maximum number of orders")]


def fetch_profile(user_id: _UserId, users: Upstream[Users]) -> PendingCall[User]:
    return users.find(user_id)


def fetch_orders(
    user_id: _UserId, orders: Upstream[Orders], limit: _OrderLimit = 10
) -> PendingCall[list[Order]]:
    return orders.recent(user_id, limit=limit)


class Dashboard(Composite, budget=1.5):
    """A user with their orders. The profile is required."""

    profile: Annotated[User, Part(fetch_profile)]
    orders: Annotated[list[Order], Part(fetch_orders, timeout=0.8)] = []


@router.get(
    "/dashboard/{user_id}",
    dependencies=[requires("dashboard:read"), owner("user_id"), limited(DASHBOARDS)],
)
async def get_dashboard(view: Composed[Dashboard]) -> Dashboard:
    """A user with their orders."""
    return view
