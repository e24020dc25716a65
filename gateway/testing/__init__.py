"""The test kit: runs a whole gateway in the test's own process, with scripted services.

    async def test_the_dashboard_works_without_orders() -> None:
        async with lockgate() as gateway:
            gateway.service("orders").fails(503)
            response = await gateway.get("/dashboard/42", user="42", scopes=["dashboard:read"])
        assert response.status_code == 200
        assert response.json()["degraded"] == [{"part": "orders", "reason": "unavailable"}]

Only the network is simulated: tokens are signed and verified, limits are counted, routes are
audited. A service without a script responds as its fake in the package does, or with
404 without a fake. `on` scripts one endpoint of a service:

    gateway.service("orders").on("POST", "/orders").answers({"id": 7}, status=201)
"""

from gateway.testing.contract import ApplicationContract
from gateway.testing.gateway import BOUND, TestGateway, lockgate
from gateway.testing.received_request import ReceivedRequest
from gateway.testing.scripted_endpoint import ScriptedEndpoint
from gateway.testing.scripted_service import ScriptedService, UnexpectedRequest
from gateway.testing.undeclared_problems import UndeclaredProblem
from gateway.testing.virtual_time import run_in_virtual_time

__all__ = [
    "BOUND",
    "ApplicationContract",
    "ReceivedRequest",
    "ScriptedEndpoint",
    "ScriptedService",
    "TestGateway",
    "UndeclaredProblem",
    "UnexpectedRequest",
    "lockgate",
    "run_in_virtual_time",
]
