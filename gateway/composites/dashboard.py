"""GET /dashboard/{user_id}: the dashboard of a user, from four services."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from clients.notifications import Notification, Notifications
from clients.orders import Order, Orders
from clients.recommendations import Recommendation, Recommendations
from clients.users import User, Users
from config.limits import DASHBOARDS
from gateway.aggregation import Composed, Composite, Part
from gateway.auth import owner, requires
from gateway.ratelimit import limited
from gateway.resources import Upstream
from gateway.upstream import PendingCall

router = APIRouter(tags=["composites"])

_UserId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The id of the user")]
_OrderLimit = Annotated[int, Query(ge=1, le=50, description="The maximum number of orders")]


def fetch_profile(user_id: _UserId, users: Upstream[Users]) -> PendingCall[User]:
    return users.get(user_id)


def fetch_orders(
    user_id: _UserId, orders: Upstream[Orders], limit: _OrderLimit = 10
) -> PendingCall[list[Order]]:
    return orders.recent(user_id, limit=limit)


def fetch_notifications(
    user_id: _UserId, notifications: Upstream[Notifications]
) -> PendingCall[list[Notification]]:
    return notifications.unread(user_id)


def fetch_recommendations(
    user_id: _UserId, recommendations: Upstream[Recommendations]
) -> PendingCall[list[Recommendation]]:
    return recommendations.for_user(user_id)


class Dashboard(Composite, budget=1.5):
    """The dashboard of a user. The profile is required; the other parts are optional."""

    profile: Annotated[User, Part(fetch_profile)]
    orders: Annotated[list[Order], Part(fetch_orders, timeout=0.8)] = []
    notifications: Annotated[list[Notification], Part(fetch_notifications, timeout=0.8)] = []
    recommendations: Annotated[list[Recommendation], Part(fetch_recommendations, timeout=0.8)] = []


@router.get(
    "/dashboard/{user_id}",
    dependencies=[requires("dashboard:read"), owner("user_id"), limited(DASHBOARDS)],
)
async def get_dashboard(view: Composed[Dashboard]) -> Dashboard:
    """The profile, orders, notifications and recommendations of a user, in one response."""
    return view
