"""The five demo services by name. To add one, write its file and add its line here."""

from starlette.types import ASGIApp

from gateway.demo.catalog import create_catalog
from gateway.demo.dials import ServiceWithDials
from gateway.demo.notifications import create_notifications
from gateway.demo.orders import create_orders
from gateway.demo.recommendations import create_recommendations
from gateway.demo.users import create_users


def create_demo_services(latency_ms: float) -> dict[str, ASGIApp]:
    """Create every service by name, each with its own dials and this latency."""
    services = {
        "users": create_users(),
        "orders": create_orders(),
        "notifications": create_notifications(),
        "recommendations": create_recommendations(),
        "catalog": create_catalog(),
    }
    return {name: ServiceWithDials(app, latency_ms) for name, app in services.items()}
