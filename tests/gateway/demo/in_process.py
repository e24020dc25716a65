"""Calls the demo services in process, for tests that need hundreds of responses."""

import httpx

from gateway.demo.services import create_demo_services

SERVICES = create_demo_services(latency_ms=0)

PATHS = {
    "users": "/users/{}",
    "orders": "/orders?user_id={}",
    "notifications": "/notifications/unread?user_id={}",
    "recommendations": "/recommendations/{}",
}


async def get(service: str, path: str) -> httpx.Response:
    """GET `path` from `service`."""
    transport = httpx.ASGITransport(SERVICES[service])
    async with httpx.AsyncClient(transport=transport, base_url="http://demo") as http:
        return await http.get(path)


async def get_dashboard(user_id: int) -> dict[str, bytes]:
    """The response bodies of the four services for a user, by service name."""
    return {name: (await get(name, path.format(user_id))).content for name, path in PATHS.items()}
