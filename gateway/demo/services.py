"""The five services by name: to add one, add its file and its line here."""

from starlette.types import ASGIApp

from gateway.demo.catalog import catalog
from gateway.demo.dials import ServiceWithDials
from gateway.demo.notifications import notifications
from gateway.demo.orders import orders
from gateway.demo.recommendations import recommendations
from gateway.demo.users import users


def demo_services(latency_ms: float) -> dict[str, ASGIApp]:
    """Each service behind dials of its own, all with that latency to begin with."""
    services = {
        "users": users(),
        "orders": orders(),
        "notifications": notifications(),
        "recommendations": recommendations(),
        "catalog": catalog(),
    }
    return {name: ServiceWithDials(app, latency_ms) for name, app in services.items()}
