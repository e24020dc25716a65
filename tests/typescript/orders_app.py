"""The app of `orders.ts`: a route that passes on problems of a service."""

from fastapi import APIRouter
from pydantic import BaseModel

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import requires
from gateway.resources import Upstream
from gateway.settings.schema import Settings
from gateway.upstream import (
    DecimalText,
    PendingCall,
    ResponseModel,
    ServiceClient,
    UpstreamProblem,
    raises,
)


class CurrentPrice(ResponseModel, camel_case=True):
    current_price: DecimalText


class Address(ResponseModel):
    city: str


class Unknown(ResponseModel):
    address: Address


class PriceChanged(
    UpstreamProblem,
    status=409,
    type="https://acme.example/problems/price-changed",
    members=CurrentPrice,
):
    """The price in the order is not the current one."""


class AddressUnknown(
    UpstreamProblem,
    status=422,
    type="https://acme.example/problems/address-unknown",
    members=Unknown,
):
    """The service does not deliver to this address."""


class InvalidOrder(UpstreamProblem, status=422):
    """The service does not accept the content of the order."""


class Orders(ServiceClient, name="orders"):
    def place(self, sku: str) -> PendingCall[int]:
        call = self.post("/orders", json={"sku": sku}, into=int)
        return call.or_raise(PriceChanged, InvalidOrder)

    def deliver(self, order_id: int) -> PendingCall[int]:
        call = self.post("/orders/{order_id}/delivery", order_id=order_id, into=int)
        return call.or_raise(AddressUnknown)


class NewOrder(BaseModel):
    sku: str


router = APIRouter()


@router.post("/orders", dependencies=[requires("orders:write")])
@raises(PriceChanged, InvalidOrder, AddressUnknown)
async def create_order(new: NewOrder, orders: Upstream[Orders]) -> int:
    return await orders.deliver(await orders.place(new.sku))


def build_document() -> dict[str, object]:
    return create_app(
        Settings(), application=Application(clients={"orders": Orders}, routers=[router])
    ).openapi()
