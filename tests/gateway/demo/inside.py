"""The services asked inside the process, where a property needs hundreds of answers."""

import httpx

from gateway.demo.services import demo_services

SERVICES = demo_services(latency_ms=0)

PATHS = {
    "users": "/users/{}",
    "orders": "/orders?user_id={}",
    "notifications": "/notifications/unread?user_id={}",
    "recommendations": "/recommendations/{}",
}


async def ask(service: str, path: str) -> httpx.Response:
    """What `service` answers to GET `path`."""
    transport = httpx.ASGITransport(SERVICES[service])
    async with httpx.AsyncClient(transport=transport, base_url="http://demo") as http:
        return await http.get(path)


async def dashboard(user_id: int) -> dict[str, bytes]:
    """What the four services say about a user, by service."""
    return {name: (await ask(name, path.format(user_id))).content for name, path in PATHS.items()}
