"""GET /dashboard/{user_id}: all that a user's first screen shows."""

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

UserId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The user whose dashboard it is")]
OrderCount = Annotated[int, Query(ge=1, le=50, description="How many orders at most")]


def fetch_profile(user_id: UserId, users: Upstream[Users]) -> PendingCall[User]:
    return users.get(user_id)


def fetch_orders(
    user_id: UserId, orders: Upstream[Orders], limit: OrderCount = 10
) -> PendingCall[list[Order]]:
    return orders.recent(user_id, limit=limit)


def fetch_notifications(
    user_id: UserId, notifications: Upstream[Notifications]
) -> PendingCall[list[Notification]]:
    return notifications.unread(user_id)


def fetch_recommendations(
    user_id: UserId, recommendations: Upstream[Recommendations]
) -> PendingCall[list[Recommendation]]:
    return recommendations.for_user(user_id)


class Dashboard(Composite, budget=1.5):
    """A user's first screen. Without the profile there is none; the rest may be missing."""

    profile: Annotated[User, Part(fetch_profile)]
    orders: Annotated[list[Order], Part(fetch_orders, timeout=0.8)] = []
    notifications: Annotated[list[Notification], Part(fetch_notifications, timeout=0.8)] = []
    recommendations: Annotated[list[Recommendation], Part(fetch_recommendations, timeout=0.8)] = []


@router.get(
    "/dashboard/{user_id}",
    dependencies=[requires("dashboard:read"), owner("user_id"), limited(DASHBOARDS)],
)
async def get_dashboard(view: Composed[Dashboard]) -> Dashboard:
    """Profile, orders, notifications and recommendations of one user, loaded at once."""
    return view
