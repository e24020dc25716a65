"""Client of the orders service: a user's orders."""

from gateway.upstream import PendingCall, ResponseModel, ServiceClient, Timestamp


class OrderItem(ResponseModel):
    """A line of an order. `price` is the price of one piece."""

    sku: str
    name: str
    quantity: int
    price: float


class Order(ResponseModel):
    """An order with its items."""

    id: int
    user_id: int
    status: str
    total: float
    currency: str
    items: list[OrderItem]
    created_at: Timestamp
    tracking: str | None = None
    carrier: str | None = None
    paid: bool


class Orders(ServiceClient, name="orders"):
    """Client of the orders service."""

    def recent(self, user_id: int, *, limit: int = 10) -> PendingCall[list[Order]]:
        """Return the user's `limit` newest orders, newest first."""
        return self.get("/orders", params={"user_id": user_id, "limit": limit}, into=list[Order])
