"""Calls the demo services in process, for tests that need hundreds of responses."""

import asyncio
from typing import Any

import httpx

from gateway.fakes.load_fakes import load_fakes
from gateway.settings.app_package import find_app_package

SERVICES = load_fakes(find_app_package(None))

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


def get_orders(user_id: int, limit: int = 50) -> list[dict[str, Any]]:
    """The orders of a user."""
    response = asyncio.run(get("orders", f"/orders?user_id={user_id}&limit={limit}"))
    orders: list[dict[str, Any]] = response.json()
    return orders
