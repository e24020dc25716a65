"""The shipped test kit: a whole gateway in the test's own process, its services as one likes.

    async def test_the_page_lives_without_orders() -> None:
        async with lockgate() as gateway:
            gateway.service("orders").fails(503)
            page = await gateway.get("/dashboard/42", user="42", scopes=["dashboard:read"])
        assert page.status_code == 200
        assert page.json()["degraded"] == [{"part": "orders", "reason": "unavailable"}]

Everything is real but the network: tokens are signed and verified, limits counted, routes
audited. A service that no script speaks for answers as its demo twin does.
"""

from gateway.testing.gateway import TestGateway, lockgate
from gateway.testing.scripted_service import ScriptedService
from gateway.testing.virtual_time import run_in_virtual_time

__all__ = ["ScriptedService", "TestGateway", "lockgate", "run_in_virtual_time"]
